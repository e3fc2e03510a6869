package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

var (
	errExists     = errors.New("exists already, and nothing is overwritten: choose another name")
	errRoute      = errors.New("a route begins with")
	errNoDir      = errors.New("there is no such folder")
	errNotDir     = errors.New("it is a file, not a folder")
	errIdentifier = errors.New("package backends declares that name: choose another one")
)

// checkDir fails if there is no such folder.
func checkDir(dir string) error {
	info, err := os.Stat(dir)

	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("--dir %q: %w", dir, errNoDir)
	case err == nil && !info.IsDir():
		return fmt.Errorf("--dir %q: %w", dir, errNotDir)
	default:
		return err
	}
}

// checkTaken fails if something of the checkout has a name that the new service needs.
func checkTaken(dir string, n names) error {
	if err := checkFree(dir, "proto/"+n.Name, "gen/"+n.Name, "backends/internal/"+n.Name, "bff/composite/"+n.Name,
		"backends/"+n.Name+".go"); err != nil {
		return err
	}

	protos, err := protosource.Dir(filepath.Join(dir, protosPath))
	if err != nil {
		return err
	}

	if err := checkRoutes(protos, n.Path); err != nil {
		return fmt.Errorf("%w: choose another one with --resource or --plural", err)
	}

	return checkIdentifiers(filepath.Join(dir, "backends"), n.Name, n.Name+"v1", n.Name+"Service")
}

// checkFree fails if one of the files or folders exists.
func checkFree(dir string, paths ...string) error {
	for _, path := range paths {
		switch _, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(path))); {
		case err == nil:
			return fmt.Errorf("%s %w", path, errExists)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}

	return nil
}

// checkRoutes looks for the path at the beginning of templates. What contends in other ways is found by `make generate`.
func checkRoutes(protos protosource.Tree, path string) error {
	route := regexp.MustCompile(`"` + regexp.QuoteMeta(path) + `["/:]`)

	for _, name := range slices.Sorted(maps.Keys(protos)) {
		if at := route.FindIndex(protos[name]); at != nil {
			line := bytes.Count(protos[name][:at[0]], []byte("\n")) + 1

			return fmt.Errorf("%s/%s:%d: %w %s", protosPath, name, line, errRoute, path)
		}
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
