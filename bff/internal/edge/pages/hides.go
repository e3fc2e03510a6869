package pages

import (
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// The pages that a gateway has of its own: the description of the API (docs.openapi) and the page that shows it (docs.page), whose
// files are below it.
const (
	DocumentJSON = "/openapi.json"
	DocumentYAML = "/openapi.yaml"
	Docs         = "/docs"
)

// Favicon is where browsers look for an icon unless a page names one.
const Favicon = "/favicon.ico"

// Own are the paths of the gateway's own pages, as in Page.Path.
func Own() []string { return []string{DocumentJSON, DocumentYAML, Docs, Docs + "/"} }

// Hiding returns those of the paths of pages that together have all paths of a template, so that no request would reach its route.
// None: some would.
func Hiding(paths []string, template pathtemplate.Template) []string {
	var (
		most, longest int
		hiding        []string
	)

	for _, path := range paths {
		most, longest = max(most, strings.Count(path, "/")), max(longest, len(path))
	}

	// Longer than any segment of a page, so that it is none.
	text := strings.Repeat("x", longest+1)

	for _, sample := range template.Samples(most, text) {
		i := slices.IndexFunc(paths, func(path string) bool { return has(path, sample) })
		if i < 0 {
			return nil
		}

		hiding = append(hiding, paths[i])
	}

	slices.Sort(hiding)

	return slices.Compact(hiding)
}

// has reports whether the page at a path is for another path, too.
func has(page, path string) bool {
	return path == page || isTree(page) && strings.HasPrefix(path, page)
}

// isTree reports whether a page is for all paths below its own.
func isTree(page string) bool { return page != "/" && strings.HasSuffix(page, "/") }
