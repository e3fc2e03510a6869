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

// render fills in the templates.
func render(n names) ([]File, error) {
	// Columns of a table stand in line; the longest fixed one is create_time.
	column := func(id, name string) string { return fmt.Sprintf("%-*s", max(len(id), len("create_time")), name) }

	all, err := template.New("").Funcs(template.FuncMap{"column": column}).ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}

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
		var text bytes.Buffer
		if err := all.ExecuteTemplate(&text, one.template+".tmpl", n); err != nil {
			return nil, fmt.Errorf("write %s: %w", one.path, err)
		}

		file := File{Path: one.path, Text: text.Bytes()}

		if path.Ext(one.path) == ".go" {
			if file.Text, err = format.Source(file.Text); err != nil {
				return nil, fmt.Errorf("format %s: %w", one.path, err)
			}
		}

		files = append(files, file)
	}

	return files, nil
}
