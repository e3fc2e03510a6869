// Command protodeps prints the foreign .proto files that one's own import into a folder, so that generating needs no schema
// registry. They come from descriptors that are linked into this program, so their version is the one that go.mod pins: portico/v1,
// buf/validate, and google/api and google/rpc as far as their Go modules have them.
//
// Repositories that use Portico as a library run it as a tool of their go.mod. To them, portico/v1/policy.proto is foreign, too:
//
//	go tool protodeps -proto proto -out .deps/proto
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/protosource"
)

func main() {
	protos := flag.String("proto", "proto", "folder of one's own .proto files")
	out := flag.String("out", ".deps/proto", "folder to print the foreign ones into; it is emptied first")

	flag.Parse()

	if err := run(*protos, *out); err != nil {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
		os.Exit(1)
	}
}

func run(protos, out string) error {
	imports, err := foreignImports(protos)
	if err != nil {
		return err
	}

	var (
		files  = map[string]protoreflect.FileDescriptor{}
		faults []error
	)

	for _, foreign := range imports {
		if err := collect(files, foreign.Path); err != nil {
			at := foreign.Position
			at.File = filepath.Join(protos, filepath.FromSlash(at.File))
			faults = append(faults, fmt.Errorf("%s: %w", at, err))
		}
	}

	if err := errors.Join(faults...); err != nil {
		return err
	}

	if err := os.RemoveAll(out); err != nil {
		return fmt.Errorf("empty %s: %w", out, err)
	}

	return printFiles(files, out)
}

// foreignImports lists what the .proto files in a folder import that is neither among them nor known to every compiler.
func foreignImports(dir string) ([]protosource.Import, error) {
	tree, err := protosource.Dir(dir)
	if err != nil {
		return nil, err
	}

	imports, err := tree.Imports()
	if err != nil {
		return nil, fmt.Errorf("read the imports in %s: %w", dir, err)
	}

	return slices.DeleteFunc(imports, func(i protosource.Import) bool {
		_, own := tree[i.Path]

		return own || wellKnown(i.Path)
	}), nil
}

func wellKnown(path string) bool { return strings.HasPrefix(path, "google/protobuf/") }

// collect adds the file and, transitively, what it imports.
func collect(files map[string]protoreflect.FileDescriptor, path string) error {
	if _, done := files[path]; done || wellKnown(path) {
		return nil
	}

	file, err := protoregistry.GlobalFiles.FindFileByPath(path)
	if err != nil {
		return fmt.Errorf("%s is not on offer: put it, and what it imports, among your own files", path)
	}

	files[path] = file

	for i := range file.Imports().Len() {
		if err := collect(files, file.Imports().Get(i).Path()); err != nil {
			return err
		}
	}

	return nil
}

func printFiles(files map[string]protoreflect.FileDescriptor, out string) error {
	for path, file := range files {
		text, err := protosource.Print(file)
		if err != nil {
			return err
		}

		target := filepath.Join(out, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
			return fmt.Errorf("make a folder for %s: %w", path, err)
		}

		if err := os.WriteFile(target, []byte(text), 0o600); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}

	return nil
}
