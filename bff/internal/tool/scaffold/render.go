package scaffold

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"path"
	"text/template"
)

//go:embed templates/*.tmpl
var templates embed.FS

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
		file, err := execute(one.template, one.path, n)
		if err != nil {
			return nil, err
		}

		files = append(files, file)
	}

	return files, nil
}

// execute makes a new file of a template.
func execute(name, to string, data any) (File, error) {
	all, err := template.New("").Funcs(template.FuncMap{
		// Columns of a table stand in line; the longest fixed one is create_time.
		"column": func(id, name string) string { return fmt.Sprintf("%-*s", max(len(id), len("create_time")), name) },
		"inc":    func(i int) int { return i + 1 },
	}).ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return File{}, fmt.Errorf("read templates: %w", err)
	}

	var text bytes.Buffer
	if err := all.ExecuteTemplate(&text, name+".tmpl", data); err != nil {
		return File{}, fmt.Errorf("write %s: %w", to, err)
	}

	file := File{Path: to, Text: text.Bytes()}

	if path.Ext(to) == ".go" {
		if file.Text, err = format.Source(file.Text); err != nil {
			return File{}, fmt.Errorf("format %s: %w", to, err)
		}
	}

	return file, nil
}
