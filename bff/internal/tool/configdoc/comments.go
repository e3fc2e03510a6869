// Package configdoc describes the settings of bff/config from their types: as a JSON Schema for editors and as a page for people.
// What they mean is in the doc comments of the source, in which Go's names are replaced by those of the file.
package configdoc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// comments are the doc comments of a package, without line breaks within paragraphs.
type comments struct {
	// types are those of types by their names, fields those of their fields.
	types  map[string]string
	fields map[string]map[string]string
	// constants are the values of constants, as text.
	constants map[string]string
}

// readComments reads the source of a package in a folder.
func readComments(dir string) (*comments, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}

	c := &comments{types: map[string]string{}, fields: map[string]map[string]string{}, constants: map[string]string{}}

	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}

		for _, declaration := range file.Decls {
			if general, ok := declaration.(*ast.GenDecl); ok {
				c.add(general)
			}
		}
	}

	if len(c.fields["Config"]) == 0 {
		return nil, fmt.Errorf("%s: there is no type Config with documented fields", dir)
	}

	return c, nil
}

func (c *comments) add(declaration *ast.GenDecl) {
	for _, spec := range declaration.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if fields, ok := spec.Type.(*ast.StructType); ok {
				c.types[spec.Name.Name] = text(declaration.Doc)
				c.fields[spec.Name.Name] = fieldComments(fields)
			}
		case *ast.ValueSpec:
			for i, name := range spec.Names {
				if i >= len(spec.Values) {
					break
				}

				if value, ok := spec.Values[i].(*ast.BasicLit); ok && value.Kind == token.STRING {
					c.constants[name.Name], _ = strconv.Unquote(value.Value)
				}
			}
		}
	}
}

// fieldComments returns the comments of fields. One without a comment has that of the field before, if that speaks of it.
func fieldComments(fields *ast.StructType) map[string]string {
	found, before := map[string]string{}, ""

	for _, field := range fields.Fields.List {
		if field.Doc != nil {
			before = text(field.Doc)
		}

		for _, name := range field.Names {
			if field.Doc != nil || regexp.MustCompile(`\b`+name.Name+`\b`).MatchString(before) {
				found[name.Name] = before
			}
		}
	}

	return found
}

func text(doc *ast.CommentGroup) string { return strings.Join(strings.Fields(doc.Text()), " ") }

// ofField describes a field of a type with the names of the file.
func (c *comments) ofField(t reflect.Type, field reflect.StructField) string {
	return c.plain(t, c.fields[t.Name()][field.Name])
}

// about describes a setting beside its name: "Address is what to listen on." is "What to listen on.", without the default.
func (c *comments) about(t reflect.Type, s setting) string {
	described := c.ofField(t, s.StructField)

	for _, verb := range []string{" is ", " are "} {
		if rest, ok := strings.CutPrefix(described, "`"+s.key()+"`"+verb); ok {
			described = strings.ToUpper(rest[:1]) + rest[1:]
		}
	}

	for _, text := range []string{s.Tag.Get("default"), "`" + s.Tag.Get("default") + "`"} {
		described = strings.TrimSuffix(described, " Default "+text+".")
	}

	if zero := s.Tag.Get("zero"); zero != "" {
		described += " Zero: " + zero + "."
	}

	return described
}

// ofType describes a type with the names of the file: "Server is the listener for clients." is "The listener for clients.".
func (c *comments) ofType(t reflect.Type) string {
	described := c.types[t.Name()]

	for _, verb := range []string{" is ", " are "} {
		if rest, ok := strings.CutPrefix(described, t.Name()+verb); ok {
			described = strings.ToUpper(rest[:1]) + rest[1:]
		}
	}

	return c.plain(t, described)
}

// plain replaces names of fields and constants by those of the file.
func (c *comments) plain(t reflect.Type, described string) string {
	names := maps.Clone(c.constants)
	for field := range t.Fields() {
		if key := field.Tag.Get("yaml"); key != "" {
			names[field.Name] = key
		}
	}

	for _, name := range slices.Sorted(maps.Keys(names)) {
		word := regexp.MustCompile(`(^|[^A-Za-z0-9_."/-])(?:` + t.Name() + `\.)?` + name + `\b([^-]|$)`)
		described = word.ReplaceAllString(described, "${1}`"+names[name]+"`${2}")
	}

	return described
}
