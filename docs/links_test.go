// Package docs has no code: its tests are about the pages in this folder.
package docs_test

import (
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Links of the README and of the pages lead to files and headings that there are.
func TestLinks(t *testing.T) {
	t.Parallel()

	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}

	records, err := filepath.Glob("adr/*.md")
	if err != nil {
		t.Fatal(err)
	}

	more, err := filepath.Glob("*/*/*.md")
	if err != nil {
		t.Fatal(err)
	}

	for _, page := range slices.Concat([]string{"../README.md", "../CHANGELOG.md"}, pages, records, more) {
		for _, link := range links(read(t, page)) {
			if reason := broken(t, page, link); reason != "" {
				t.Errorf("%s: %s: %s", page, link, reason)
			}
		}
	}
}

func TestLinksThatAreBroken(t *testing.T) {
	t.Parallel()

	got := links("# A\n[a](a.md#x) and [b][c]\n```md\n[no](no.md)\n```\n`[no](no.md)` ![image](i.png)\n\n[c]: c.md\n")
	if want := []string{"a.md#x", "i.png", "c.md"}; !slices.Equal(got, want) {
		t.Errorf("links %q, want %q", got, want)
	}

	if got, want := anchors("# A `b`, c\n## D_e — f\n## D_e — f\n"), []string{"a-b-c", "d_e--f", "d_e--f-1"}; !slices.Equal(got, want) {
		t.Errorf("anchors %q, want %q", got, want)
	}

	for _, link := range []string{"nothing.md", "cli.md#nothing", "#nothing"} {
		if broken(t, "cli.md", link) == "" {
			t.Errorf("%s is not noticed", link)
		}
	}
}

func read(t *testing.T, page string) string {
	t.Helper()

	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}

	return string(text)
}

var (
	fences  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	inline  = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	defined = regexp.MustCompile(`(?m)^\[[^\]]+\]: (\S+)$`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	linked  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	// GitHub leaves these out of anchors.
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// links are the targets of all links of a page.
func links(text string) []string {
	text = code.ReplaceAllString(fences.ReplaceAllString(text, ""), "`")

	var all []string

	for _, pattern := range []*regexp.Regexp{inline, defined} {
		for _, found := range pattern.FindAllStringSubmatch(text, -1) {
			all = append(all, found[1])
		}
	}

	return all
}

// broken says what is wrong with a link of a page. Links to other sites are not followed.
func broken(t *testing.T, page, link string) (reason string) {
	t.Helper()

	to, err := url.Parse(link)
	if err != nil {
		return err.Error()
	}

	if to.IsAbs() {
		return ""
	}

	target := page
	if to.Path != "" {
		target = filepath.Join(filepath.Dir(page), to.Path)
	}

	if _, err := os.Stat(target); err != nil {
		return "there is no such file"
	}

	if to.Fragment != "" && !slices.Contains(anchors(read(t, target)), to.Fragment) {
		return "there is no such heading"
	}

	return ""
}

// anchors are the names that GitHub gives to the headings of a page.
func anchors(text string) []string {
	var (
		all  []string
		seen = make(map[string]int)
	)

	for _, found := range heading.FindAllStringSubmatch(fences.ReplaceAllString(text, ""), -1) {
		title := linked.ReplaceAllString(found[1], "$1")
		anchor := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(title), ""), " ", "-")

		if n := seen[anchor]; n > 0 {
			all = append(all, anchor+"-"+strconv.Itoa(n))
		} else {
			all = append(all, anchor)
		}

		seen[anchor]++
	}

	return all
}
