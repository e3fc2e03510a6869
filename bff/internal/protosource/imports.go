package protosource

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bufbuild/protocompile/ast"
	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protopos"
)

// Import is one file that another one imports, in whichever way.
type Import struct {
	protopos.Position

	// Path is that of the file that is imported.
	Path string
}

// Imports lists what the files import, by their paths and in order. The error names every fault of syntax with its line.
func (t Tree) Imports() ([]Import, error) {
	var (
		imports []Import
		faults  []error
	)

	handler := reporter.NewHandler(reporter.NewReporter(func(fault reporter.ErrorWithPos) error {
		faults = append(faults, fault)

		return nil
	}, nil))

	for _, path := range slices.Sorted(maps.Keys(t)) {
		// What is wrong is in detail with the handler.
		file, _ := parser.Parse(path, bytes.NewReader(t[path]), handler)
		if file == nil {
			continue
		}

		for _, declaration := range file.Decls {
			if imported, ok := declaration.(*ast.ImportNode); ok {
				at := file.NodeInfo(imported.Name).Start()
				imports = append(imports, Import{
					Position: protopos.Position{File: path, Line: at.Line, Column: at.Col}, Path: imported.Name.AsString(),
				})
			}
		}
	}

	return imports, errors.Join(faults...)
}

// Print writes a descriptor as a .proto file.
func Print(file protoreflect.FileDescriptor) (string, error) {
	var printer protoprint.Printer

	text, err := printer.PrintProtoToString(file)
	if err != nil {
		return "", fmt.Errorf("print %s: %w", file.Path(), err)
	}

	return text, nil
}
