package scaffold

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var (
	errExists     = errors.New("it exists already, and nothing is overwritten: choose another name")
	errRoute      = errors.New("there are routes below that path")
	errIdentifier = errors.New("package backends declares that name: choose another one")
)

// checkTaken fails if something of the checkout has a name that the new service needs.
func checkTaken(dir string, n names) error {
	for _, path := range []string{
		"proto/" + n.Name, "gen/" + n.Name, "backends/internal/" + n.Name, "bff/composite/" + n.Name, "backends/" + n.Name + ".go",
	} {
		switch _, err := os.Lstat(filepath.Join(dir, path)); {
		case err == nil:
			return fmt.Errorf("%s: %w", path, errExists)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("look for %s: %w", path, err)
		}
	}

	if err := checkRoutes(os.DirFS(filepath.Join(dir, "proto")), n.Path); err != nil {
		return fmt.Errorf("%w: choose another one with --resource or --plural", err)
	}

	return checkIdentifiers(filepath.Join(dir, "backends"), n.Name, n.Name+"v1", n.Name+"Service")
}

// checkRoutes looks for the path at the beginning of templates. What contends in other ways is found by `make generate`.
func checkRoutes(protos fs.FS, path string) error {
	route := regexp.MustCompile(`"` + regexp.QuoteMeta(path) + `["/:]`)

	err := fs.WalkDir(protos, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".proto" {
			return err
		}

		text, err := fs.ReadFile(protos, name)
		if err != nil {
			return fmt.Errorf("read proto/%s: %w", name, err)
		}

		if at := route.FindIndex(text); at != nil {
			return fmt.Errorf("%s in proto/%s:%d: %w", path, name, strings.Count(string(text[:at[0]]), "\n")+1, errRoute)
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("look for routes: %w", err)
	}

	return nil
}

// checkIdentifiers looks for declarations of the Go package in a folder.
func checkIdentifiers(dir string, wanted ...string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return fmt.Errorf("list Go files: %w", err)
	}

	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}

		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("look for names: %w", err)
		}

		for _, name := range declared(file) {
			if slices.Contains(wanted, name) {
				return fmt.Errorf("%s in %s: %w", name, filepath.Base(path), errIdentifier)
			}
		}
	}

	return nil
}

// declared returns the names at the top level of a file.
func declared(file *ast.File) []string {
	var list []string

	for _, decl := range file.Decls {
		ast.Inspect(decl, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					list = append(list, n.Name.Name)
				}
			case *ast.TypeSpec:
				list = append(list, n.Name.Name)
			case *ast.ValueSpec:
				for _, name := range n.Names {
					list = append(list, name.Name)
				}
			case *ast.GenDecl:
				return true
			}

			return false
		})
	}

	return list
}
