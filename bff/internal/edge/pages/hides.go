package pages

import (
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// The pages of the gateway itself: the description of the API (docs.openapi) and the page that shows it (docs.page), whose files
// are below it.
const (
	DocumentJSON = "/openapi.json"
	DocumentYAML = "/openapi.yaml"
	Docs         = "/docs"
)

// Favicon is where browsers look for an icon unless a page has another.
const Favicon = "/favicon.ico"

// Own returns the paths of the gateway's own pages, as in Page.Path.
func Own() []string { return []string{DocumentJSON, DocumentYAML, Docs, Docs + "/"} }

// Hiding returns the paths of pages that together match all paths of a template, so that no request would reach its route. None:
// some would.
func Hiding(paths []string, template pathtemplate.Template) []string {
	var (
		most, longest int
		hiding        []string
	)

	for _, path := range paths {
		most, longest = max(most, strings.Count(path, "/")), max(longest, len(path))
	}

	// Longer than any segment of a page.
	text := strings.Repeat("x", longest+1)

	for _, sample := range template.Samples(most, text) {
		i := slices.IndexFunc(paths, func(path string) bool { return matches(path, sample) })
		if i < 0 {
			return nil
		}

		hiding = append(hiding, paths[i])
	}

	slices.Sort(hiding)

	return slices.Compact(hiding)
}

// matches reports whether the page at a path is for another path, too.
func matches(page, path string) bool {
	return path == page || isTree(page) && strings.HasPrefix(path, page)
}

// isTree reports whether a page is for all paths below its own.
func isTree(page string) bool { return page != "/" && strings.HasSuffix(page, "/") }
