package scaffold

import (
	"errors"
	"fmt"
	"go/format"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// edit adds a line to a file that is there.
type edit struct {
	path  string
	apply func(before []byte) (after []byte, err error)
}

func edits(n names) []edit {
	return []edit{
		{definitionsPath, func(before []byte) ([]byte, error) { return addDefinition(before, n.Name+"Service()") }},
		{examplePath, func(before []byte) ([]byte, error) {
			return addUpstream(before, n.Name, fmt.Sprintf(`{target: "dns:///%s.shop.svc:9000"}`, n.Name))
		}},
	}
}

var (
	errDefinitions = errors.New("there is no func definitions() that returns one list, an element per line")
	errUpstreams   = errors.New("there is no block \"upstreams:\"")
	errUpstream    = errors.New("there is an upstream of that name already")
)

// definitions matches the function up to the end of the list that it returns.
var definitions = regexp.MustCompile(`(?s)func definitions\(\) [^\n]*\{\n\treturn [^\n]*\{\n.*?\n(\t\}\n\}\n)`)

// addDefinition adds a call at the end of the list that definitions() returns.
func addDefinition(source []byte, call string) ([]byte, error) {
	if _, err := format.Source(source); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}

	found := definitions.FindSubmatchIndex(source)
	if found == nil {
		return nil, errDefinitions
	}

	return slices.Concat(source[:found[2]], []byte("\t\t"+call+",\n"), source[found[2]:]), nil
}

// addUpstream adds an upstream at the end of the block of them. It works on lines, so that comments and form stay, and checks
// afterwards that the document says what it should.
func addUpstream(document []byte, name, value string) ([]byte, error) {
	before, err := upstreams(document)
	if err != nil {
		return nil, err
	}

	if _, taken := before[name]; taken {
		return nil, fmt.Errorf("%s: %w", name, errUpstream)
	}

	lines := strings.SplitAfter(string(document), "\n")

	start := slices.IndexFunc(lines, func(line string) bool { return strings.TrimSpace(line) == "upstreams:" && line[0] == 'u' })
	if start < 0 {
		return nil, errUpstreams
	}

	end := blockEnd(lines, start)
	if !strings.HasSuffix(lines[end-1], "\n") {
		lines[end-1] += "\n"
	}

	after := []byte(strings.Join(slices.Insert(lines, end, fmt.Sprintf("  %s: %s\n", name, value)), ""))

	found, err := upstreams(after)
	if err != nil {
		return nil, fmt.Errorf("add upstream %s: %w", name, err)
	}

	if _, added := found[name]; !added || len(found) != len(before)+1 {
		return nil, fmt.Errorf("add upstream %s: %w", name, errUpstreams)
	}

	return after, nil
}

// blockEnd gives the index behind the last indented line of the block that begins at start. Comments that are not indented belong
// to what follows.
func blockEnd(lines []string, start int) int {
	end := start + 1

	for i, line := range lines[end:] {
		blank := strings.TrimSpace(line) == ""

		switch {
		case strings.HasPrefix(line, " ") && !blank:
			end = start + 1 + i + 1
		case !blank && !strings.HasPrefix(line, "#"):
			return end
		}
	}

	return end
}

func upstreams(document []byte) (map[string]any, error) {
	var doc struct {
		Upstreams map[string]any `yaml:"upstreams"`
	}

	if err := yaml.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}

	return doc.Upstreams, nil
}
