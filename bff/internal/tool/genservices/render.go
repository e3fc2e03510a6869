package genservices

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"go/token"
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

// list is what the template of the list of composites is filled with.
type list struct {
	Package    string
	Imports    []importSpec
	Composites []composite
}

// renderTable writes the Go source of a file about services.
func renderTable(name, source string, data table) ([]byte, error) {
	data.Imports = alias(importsOf(data.Services), "context", "grpc", "runtime", "ctx", "mux", "conn")

	return render(name, source, data.Imports, data)
}

func renderComposites(packageName string, all []composite) ([]byte, error) {
	specs := make([]importSpec, 0, 2*len(all))
	for _, c := range all {
		specs = append(specs,
			importSpec{Alias: string(c.GoPackage), Path: c.ImportPath}, importSpec{Alias: c.Folder, Path: c.Handlers})
	}

	data := list{Package: packageName, Imports: alias(specs, "bff"), Composites: all}

	return render(CompositesName, compositesSource, data.Imports, data)
}

// render writes the Go source of a file with these imports.
func render(name, source string, imports []importSpec, data any) ([]byte, error) {
	aliases := map[protogen.GoImportPath]string{}
	for _, spec := range imports {
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

// importsOf returns the packages of the services.
func importsOf(services []service) []importSpec {
	var specs []importSpec

	for _, s := range services {
		specs = append(specs, importSpec{Alias: string(s.GoPackage), Path: s.ImportPath})
		if s.Handlers != s.ImportPath {
			specs = append(specs, importSpec{Alias: string(s.GoPackage) + "gw", Path: s.Handlers})
		}
	}

	return specs
}

// alias names the imported packages, by path: each has its own package name, and a number after it if the name is taken. The
// template itself uses the names in used.
func alias(specs []importSpec, used ...string) []importSpec {
	slices.SortFunc(specs, func(a, b importSpec) int { return strings.Compare(string(a.Path), string(b.Path)) })
	specs = slices.CompactFunc(specs, func(a, b importSpec) bool { return a.Path == b.Path })

	taken := map[string]bool{}
	for _, name := range used {
		taken[name] = true
	}

	for i, spec := range specs {
		name := spec.Alias
		for n := 2; taken[name] || token.IsKeyword(name) || types.Universe.Lookup(name) != nil; n++ {
			name = spec.Alias + "_" + strconv.Itoa(n)
		}

		taken[name], specs[i].Alias = true, name
	}

	return specs
}
