package genservices

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"go/types"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"google.golang.org/protobuf/compiler/protogen"
)

//go:embed services.gen.go.tmpl
var tableSource string

//go:embed description.gen.go.tmpl
var descriptionSource string

// importSpec is one line of the import block.
type importSpec struct {
	Alias string
	Path  protogen.GoImportPath
}

// table is what the templates are filled with.
type table struct {
	Package       string
	DefaultPolicy string
	Imports       []importSpec
	Services      []service
	// Comments and Examples are by full name.
	Comments, Examples map[string]string
}

// render writes the Go source of a file.
func render(name, source string, data table) ([]byte, error) {
	data.Imports = alias(data.Services)

	aliases := map[protogen.GoImportPath]string{}
	for _, spec := range data.Imports {
		aliases[spec.Path] = spec.Alias
	}

	tmpl, err := template.New(name).
		Funcs(template.FuncMap{"alias": func(path protogen.GoImportPath) string { return aliases[path] }}).
		Parse(source)
	if err != nil {
		return nil, fmt.Errorf("parse the template of %s: %w", name, err)
	}

	var buf bytes.Buffer

	if err := tmpl.Execute(&buf, data); err != nil {
		return nil, fmt.Errorf("render %s: %w", name, err)
	}

	formatted, err := format.Source(buf.Bytes())
	if err != nil {
		return nil, fmt.Errorf("format %s: %w", name, err)
	}

	return formatted, nil
}

// alias names the imported packages, by path: each has its own package name, and a number after it if the name is taken.
func alias(services []service) []importSpec {
	var specs []importSpec

	for _, s := range services {
		specs = append(specs, importSpec{Alias: string(s.GoPackage), Path: s.ImportPath})
		if s.Handlers != s.ImportPath {
			specs = append(specs, importSpec{Alias: string(s.GoPackage) + "gw", Path: s.Handlers})
		}
	}

	slices.SortFunc(specs, func(a, b importSpec) int { return strings.Compare(string(a.Path), string(b.Path)) })
	specs = slices.CompactFunc(specs, func(a, b importSpec) bool { return a.Path == b.Path })

	// What the template itself uses.
	taken := map[string]bool{"context": true, "grpc": true, "runtime": true, "ctx": true, "mux": true, "conn": true}

	for i, spec := range specs {
		name := spec.Alias
		for n := 2; taken[name] || types.Universe.Lookup(name) != nil; n++ {
			name = spec.Alias + "_" + strconv.Itoa(n)
		}

		taken[name], specs[i].Alias = true, name
	}

	return specs
}
