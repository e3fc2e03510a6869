package docs_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

var (
	directRequirement = regexp.MustCompile(`(?m)^(?:require )?\t?([a-zA-Z0-9.-]+\.[a-z]+/\S+) v\S+$`)
	toolLine          = regexp.MustCompile(`(?m)^(?:tool )?\t([a-zA-Z0-9.-]+\.[a-z]+/\S+)$`)
	firstCell         = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")
)

// dependencies.md has a row for every direct requirement of go.mod and of the end-to-end tests and every tool of tools.mod, and none for
// a module that no module of this repository requires any more.
func TestDependencies(t *testing.T) {
	t.Parallel()

	must := slices.Concat(submatches(directRequirement, read(t, "../go.mod")), submatches(directRequirement, read(t, "../bff/e2e/go.mod")),
		submatches(toolLine, read(t, "../tools.mod")))
	must = slices.DeleteFunc(must, func(module string) bool { return module == "github.com/portico-gateway/portico" })
	if len(must) == 0 {
		t.Fatal("no requirements were found")
	}

	rows := submatches(firstCell, read(t, "dependencies.md"))

	for _, module := range must {
		if !slices.Contains(rows, module) {
			t.Errorf("dependencies.md has no row for %s", module)
		}
	}

	known := slices.Concat(must, requiredAnywhere(t))

	for i, module := range rows {
		if !slices.Contains(known, module) {
			t.Errorf("dependencies.md has a row for %s, which is not required", module)
		}

		if slices.Contains(rows[:i], module) {
			t.Errorf("dependencies.md has more than one row for %s", module)
		}
	}
}

// requiredAnywhere returns the direct requirements of all modules of the repository.
func requiredAnywhere(t *testing.T) []string {
	t.Helper()

	var all []string

	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // What is not committed may be written at this time.
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git"):
			return filepath.SkipDir
		case entry.Name() == "go.mod":
			all = append(all, submatches(directRequirement, read(t, path))...)
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	return all
}

func submatches(pattern *regexp.Regexp, text string) []string {
	var all []string
	for _, found := range pattern.FindAllStringSubmatch(text, -1) {
		all = append(all, found[1])
	}

	return all
}

// diagram is a mermaid block; known are the kinds that GitHub draws and the pages use.
var (
	diagram = regexp.MustCompile("(?ms)^ *```mermaid\n(.*?)^ *```$")
	known   = regexp.MustCompile(`^(flowchart (LR|TD)|sequenceDiagram|stateDiagram-v2)\n`)
	arrow   = regexp.MustCompile(`--+>|-\.->|->>|\.->`)
)

// Diagrams of the pages are of a known kind, and not empty.
func TestDiagrams(t *testing.T) {
	t.Parallel()

	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}

	found := 0

	for _, page := range append(pages, "../README.md") {
		for _, text := range submatches(diagram, read(t, page)) {
			found++

			if !known.MatchString(text) || !arrow.MatchString(text) {
				t.Errorf("%s: not a diagram:\n%s", page, text)
			}
		}
	}

	if found == 0 {
		t.Error("the pages have no diagrams")
	}
}
