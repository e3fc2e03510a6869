package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
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

// addDefinition adds a call at the end of the list that definitions() returns.
func addDefinition(source []byte, call string) ([]byte, error) {
	fset := token.NewFileSet()

	file, err := parser.ParseFile(fset, "", source, parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}

	list := returnedList(file)
	if list == nil || len(list.Elts) == 0 {
		return nil, errDefinitions
	}

	last, brace := fset.Position(list.Elts[len(list.Elts)-1].End()), fset.Position(list.Rbrace)
	if last.Line == brace.Line {
		return nil, errDefinitions
	}

	end := brace.Offset
	end = bytes.LastIndexByte(source[:end], '\n') + 1

	after, err := format.Source(slices.Concat(source[:end], []byte(call+",\n"), source[end:]))
	if err != nil {
		return nil, fmt.Errorf("add %s: %w", call, err)
	}

	return after, nil
}

// returnedList is what definitions() returns, nil if it is not as expected.
func returnedList(file *ast.File) *ast.CompositeLit {
	for _, decl := range file.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok || fn.Name.Name != "definitions" || fn.Body == nil || len(fn.Body.List) != 1 {
			continue
		}

		if ret, ok := fn.Body.List[0].(*ast.ReturnStmt); ok && len(ret.Results) == 1 {
			list, _ := ret.Results[0].(*ast.CompositeLit)

			return list
		}
	}

	return nil
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
