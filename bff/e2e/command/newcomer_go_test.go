package command_test

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// goPackage is a package that a block may import, with its compiled form.
type goPackage struct{ name, path, export string }

// checkGo compiles blocks of Go: files, declarations, statements of a function, or arguments. What is left out is "…". A block may use
// what its given comment declares.
func (n *newcomer) checkGo(t *testing.T, blocks []block) {
	t.Helper()

	packages := n.goPackages(t)
	compiled := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		i := slices.IndexFunc(packages, func(p goPackage) bool { return p.path == path })
		if i < 0 || packages[i].export == "" {
			return nil, fmt.Errorf("no package %s", path)
		}

		return os.Open(packages[i].export)
	})

	for _, b := range blocks {
		if err := typeCheck(b, packages, compiled); err != nil {
			t.Errorf("%v: %v", b, err)
		}
	}
}

// goPackages are the packages that the example of a library links, most of them compiled for the commands before.
func (n *newcomer) goPackages(t *testing.T) []goPackage {
	t.Helper()

	list := n.command(t, "go", "list", "-deps", "-test", "-export", "-f", "{{if not .ForTest}}{{.Name}} {{.ImportPath}} {{.Export}}{{end}}",
		"./...", "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1")
	list.Dir = filepath.Join(n.dir, "docs/examples/library")

	out, err := list.Output()
	if err != nil {
		if exit, is := errors.AsType[*exec.ExitError](err); is {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}

		t.Fatal(err)
	}

	var packages []goPackage

	for line := range strings.Lines(string(out)) {
		if fields := strings.Split(strings.TrimSuffix(line, "\n"), " "); len(fields) == 3 {
			packages = append(packages, goPackage{fields[0], fields[1], fields[2]})
		}
	}

	slices.SortStableFunc(packages, func(a, b goPackage) int { return cmp.Compare(a.rank(), b.rank()) })

	return packages
}

// rank orders packages of the same name by how likely a page means them: the standard library's, ours, gRPC's, then short paths.
func (p goPackage) rank() int {
	const last = 1000

	switch {
	case strings.Contains(p.path, "portico"), strings.HasPrefix(p.path, "example.com/"):
		return 1
	case strings.Contains("/"+p.path+"/", "/internal/"), strings.HasPrefix(p.path, "vendor/"):
		return last
	case !strings.Contains(p.path, "."):
		return 0
	case strings.HasPrefix(p.path, "google.golang.org/grpc"):
		return 2
	default:
		return 2 + len(p.path)
	}
}

func typeCheck(b block, packages []goPackage, compiled types.Importer) error {
	files := token.NewFileSet()

	text, excerpt, err := goFile(b, packages)
	if err != nil {
		return err
	}

	file, err := parser.ParseFile(files, "block.go", text, parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("%w in\n%s", err, text)
	}

	var found []error

	check := types.Config{Importer: compiled, Error: func(err error) {
		// A variable that is not used is so in what was left out.
		if typed, is := errors.AsType[types.Error](err); is && typed.Soft && excerpt {
			return
		}

		found = append(found, err)
	}}
	_, _ = check.Check("block", files, []*ast.File{file}, nil) // Error has it all.

	if err := errors.Join(found...); err != nil {
		return fmt.Errorf("%w in\n%s", err, text)
	}

	return nil
}

// givenImport is an import of a given comment, of a package whose name others have as well.
var givenImport = regexp.MustCompile(`(?m)^import \w+ "[^"]+"$\n?`)

// goFile makes a file of a block, and reports whether it is only an excerpt.
func goFile(b block, packages []goPackage) (text string, excerpt bool, err error) {
	body := withoutEllipses(b.text)
	if strings.HasPrefix(body, "package ") {
		return body, false, nil
	}

	const head = "package block\n"

	excerpt = body != b.text
	parses := func(text string) bool {
		_, err := parser.ParseFile(token.NewFileSet(), "", head+text, 0)

		return err == nil
	}

	// Whatever statements return, if they do, is an error.
	statements, arguments := "func _() error {\n"+body+"\npanic(0)\n}\n", "var _ = []any{\n"+body+"}\n"

	switch {
	case parses(body):
	case parses(statements):
		body, excerpt = statements, true
	case parses(arguments):
		body = arguments
	}

	given := givenImport.FindAllString(b.given, -1)
	body = givenImport.ReplaceAllString(b.given, "") + "\n" + body

	file, err := parser.ParseFile(token.NewFileSet(), "", head+body, 0)
	if err != nil {
		return "", false, fmt.Errorf("%w in\n%s", err, body)
	}

	var imports strings.Builder

	imports.WriteString(strings.Join(given, "\n") + "\n")

	for _, name := range foreignNames(file) {
		if strings.Contains(imports.String(), "import "+name+" ") {
			continue
		}

		if i := slices.IndexFunc(packages, func(p goPackage) bool { return p.name == name }); i >= 0 {
			fmt.Fprintf(&imports, "import %s %q\n", name, packages[i].path)
		}
	}

	return head + imports.String() + body, excerpt, nil
}

// foreignNames are the names in selectors that a file does not declare.
func foreignNames(file *ast.File) []string {
	selected := make(map[*ast.Ident]bool)

	ast.Inspect(file, func(n ast.Node) bool {
		if s, is := n.(*ast.SelectorExpr); is {
			if x, is := s.X.(*ast.Ident); is {
				selected[x] = true
			}
		}

		return true
	})

	var names []string

	for _, x := range file.Unresolved {
		if selected[x] && !slices.Contains(names, x.Name) {
			names = append(names, x.Name)
		}
	}

	return names
}

// withoutEllipses puts a panic where something is left out, but in comments and strings.
func withoutEllipses(text string) string {
	const ellipsis = "…"

	var (
		files = token.NewFileSet()
		file  = files.AddFile("", files.Base(), len(text))
		s     scanner.Scanner
		out   strings.Builder
		done  int
	)

	s.Init(file, []byte(text), nil, 0)

	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return out.String() + text[done:]
		}

		if tok == token.ILLEGAL && lit == ellipsis {
			at := file.Offset(pos)
			out.WriteString(text[done:at] + `panic("left out")`)
			done = at + len(ellipsis)
		}
	}
}
