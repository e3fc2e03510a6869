package scaffold

import (
	"embed"
	"fmt"
	"go/format"
	"path"
	"regexp"
	"strings"
)

//go:embed templates/*.tmpl
var templates embed.FS

// values are what templates are filled with, by the name of a placeholder: {{.Name}}. Package text/template finds methods by their
// name, and the linker would keep all methods of the program.
type values map[string]string

var placeholder = regexp.MustCompile(`\{\{\.([\w ]+)\}\}`)

// fill returns a template with the values. A placeholder without a value is an error.
func (v values) fill(name string) (string, error) {
	template, err := templates.ReadFile("templates/" + name + ".tmpl")
	if err != nil {
		return "", fmt.Errorf("read templates: %w", err)
	}

	text := placeholder.ReplaceAllStringFunc(string(template), func(found string) string {
		value, ok := v[strings.Trim(found, "{.}")]
		if !ok {
			err = fmt.Errorf("template %s: %s has no value", name, found)
		}

		return value
	})

	return text, err
}

// each returns the texts of the elements of a list, one after the other.
func each[T any](list []T, text func(i int, element T) string) string {
	var b strings.Builder
	for i, element := range list {
		b.WriteString(text(i, element))
	}

	return b.String()
}

// render fills in the templates of a service.
func render(n names) ([]File, error) {
	backend := "backends/internal/" + n.Name + "/"

	var files []File

	for _, one := range []struct{ template, path string }{
		{"proto", "proto/" + n.Name + "/v1/" + n.Name + ".proto"},
		{"service", backend + "service.go"},
		{"store", backend + "store.go"},
		{"seed", backend + "seed.go"},
		{"migration", backend + "migrations/00001_" + n.Plural + ".sql"},
		{"test", backend + "service_test.go"},
		{"definition", "backends/" + n.Name + ".go"},
	} {
		file, err := execute(one.template, one.path, n.values())
		if err != nil {
			return nil, err
		}

		files = append(files, file)
	}

	return files, nil
}

// execute makes a new file of a template.
func execute(name, to string, v values) (File, error) {
	text, err := v.fill(name)
	if err != nil {
		return File{}, fmt.Errorf("write %s: %w", to, err)
	}

	file := File{Path: to, Text: []byte(text)}

	if path.Ext(to) == ".go" {
		if file.Text, err = format.Source(file.Text); err != nil {
			return File{}, fmt.Errorf("format %s: %w", to, err)
		}
	}

	return file, nil
}
