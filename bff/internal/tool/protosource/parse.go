package protosource

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// parsed are syntax trees by path.
type parsed map[string]*ast.FileNode

// parse reads the syntax of all files. The error has the first fault of each file: the parser stumbles on after it.
func (t Tree) parse() (parsed, error) {
	var faults []Fault

	files := parsed{}

	for _, name := range slices.Sorted(maps.Keys(t)) {
		first := encodingFault(name, t[name])

		handler := reporter.NewHandler(reporter.NewReporter(func(err reporter.ErrorWithPos) error {
			if first == nil {
				first = new(positioned(err))
			}

			return nil
		}, nil))

		// What is wrong is in detail with the handler.
		file, _ := parser.Parse(name, bytes.NewReader(t[name]), handler)

		if first != nil {
			faults = append(faults, *first)
		}

		if file != nil {
			files[name] = file
		}
	}

	if len(faults) > 0 {
		return nil, sorted(faults)
	}

	return files, nil
}

// encodingFault finds what is not UTF-8, as sources have to be (protobuf.dev/reference/protobuf/proto3-spec). Nil: nothing.
func encodingFault(name string, text []byte) *Fault {
	valid := 0

	for valid < len(text) {
		r, size := utf8.DecodeRune(text[valid:])
		if r == utf8.RuneError && size == 1 {
			before := text[:valid]

			return &Fault{Message: "the file is not encoded as UTF-8", Position: protopos.Position{
				File: name, Line: bytes.Count(before, []byte("\n")) + 1,
				Column: utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:]) + 1,
			}}
		}

		valid += size
	}

	return nil
}

// imports lists what a file imports, in order.
func (p parsed) imports(name string) []Import {
	var imports []Import

	file := p[name]
	for _, declaration := range file.Decls {
		if imported, ok := declaration.(*ast.ImportNode); ok {
			at := file.NodeInfo(imported.Name).Start()
			imports = append(imports, Import{
				Position: protopos.Position{File: name, Line: at.Line, Column: at.Col}, Path: imported.Name.AsString(),
			})
		}
	}

	return imports
}

// resolveImports finds imports of files that are neither in the tree nor linked into the program.
func (t Tree) resolveImports(files parsed) error {
	var faults []Fault

	for name := range files {
		for _, imported := range files.imports(name) {
			if !t.has(imported.Path) {
				faults = append(faults, Fault{Position: imported.Position, Message: t.missing(imported.Path)})
			}
		}
	}

	if len(faults) > 0 {
		return sorted(faults)
	}

	return nil
}

// has reports whether a file can be imported.
func (t Tree) has(name string) bool {
	if _, own := t[name]; own || WellKnown(name) {
		return true
	}

	_, err := protoregistry.GlobalFiles.FindFileByPath(name)

	return err == nil
}

// WellKnown reports whether a file comes with every compiler.
func WellKnown(name string) bool {
	none := protocompile.ResolverFunc(func(string) (protocompile.SearchResult, error) {
		return protocompile.SearchResult{}, protoregistry.NotFound
	})
	_, err := protocompile.WithStandardImports(none).FindFileByPath(name)

	return err == nil
}

// missing says what to do about an import of a file that there is not.
func (t Tree) missing(name string) string {
	text := fmt.Sprintf("import %q: there is no such file here, and it is not built in", name)

	if found := t.similar(name); found != "" {
		return text + fmt.Sprintf("; did you mean %q?", found)
	}

	return text + ": put it, and what it imports, below the folder of your own files, under this path"
}

// similar is a path that was probably meant; empty: there is none.
func (t Tree) similar(wanted string) string {
	known := append(slices.Sorted(maps.Keys(t)), linkedPaths()...)

	// Imports are relative to the folder that all files are below, not to the file that has them.
	for _, candidate := range known {
		if strings.HasSuffix(candidate, "/"+wanted) || strings.HasSuffix(wanted, "/"+candidate) {
			return candidate
		}
	}

	folder, name := path.Split(wanted)

	var names, folders []string

	for _, candidate := range known {
		switch in, base := path.Split(candidate); {
		case in == folder:
			names = append(names, strings.TrimSuffix(base, extension))
		case base == name && folder != "" && strings.HasPrefix(in, folder):
			return candidate
		case base == name:
			folders = append(folders, in)
		}
	}

	if found, ok := hint.Nearest(strings.TrimSuffix(name, extension), names); ok {
		return folder + found + extension
	}

	if found, ok := hint.Nearest(folder, folders); ok {
		return found + name
	}

	return ""
}

// linkedPaths are the files whose descriptors are linked into the program.
func linkedPaths() []string {
	var paths []string

	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		paths = append(paths, file.Path())

		return true
	})
	slices.Sort(paths)

	return paths
}
