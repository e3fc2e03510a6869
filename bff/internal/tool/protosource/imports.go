package protosource

import (
	"fmt"
	"maps"
	"slices"

	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// Import is one file that another one imports, in whichever way.
type Import struct {
	protopos.Position

	// Path is that of the file that is imported.
	Path string
}

// ForeignImports lists what the files import that is neither among them nor known to every compiler, by their paths and in order.
// The error is a FaultsError, also about files that are not linked into the program.
func (t Tree) ForeignImports() ([]Import, error) {
	files, err := t.parse()
	if err != nil {
		return nil, err
	}

	if err := t.resolveImports(files); err != nil {
		return nil, err
	}

	var imports []Import

	for _, name := range slices.Sorted(maps.Keys(t)) {
		imports = append(imports, files.imports(name)...)
	}

	return slices.DeleteFunc(imports, func(i Import) bool {
		_, own := t[i.Path]

		return own || WellKnown(i.Path)
	}), nil
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
