// Command protodeps prints the foreign .proto files that one's own import into a folder, so that generating needs no schema
// registry. They come from descriptors that are linked into this program, so their version is the one that go.mod pins.
//
// Repositories that use Portico as a library run it as a tool of their go.mod. To them, portico/v1/policy.proto is foreign, too:
//
//	go tool protodeps -proto proto -out .deps/proto
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jhump/protoreflect/v2/protoprint"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// The foreign files on offer. A proto that imports another one needs a line here.
	_ "buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	_ "google.golang.org/genproto/googleapis/api/annotations"
	_ "google.golang.org/genproto/googleapis/api/httpbody"

	_ "github.com/portico-gateway/portico/gen/portico/v1"
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
	imports, err := foreignImports(os.DirFS(protos))
	if err != nil {
		return err
	}

	files := map[string]protoreflect.FileDescriptor{}

	for _, path := range imports {
		if err := collect(files, path); err != nil {
			return err
		}
	}

	if err := os.RemoveAll(out); err != nil {
		return fmt.Errorf("empty %s: %w", out, err)
	}

	return printFiles(files, out)
}

var importLine = regexp.MustCompile(`(?m)^import (?:public )?"([^"]+)";`)

// foreignImports lists what the .proto files import that is neither among them nor known to every compiler.
func foreignImports(dir fs.FS) ([]string, error) {
	var foreign []string

	err := fs.WalkDir(dir, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".proto" {
			return err
		}

		text, err := fs.ReadFile(dir, path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}

		for _, match := range importLine.FindAllSubmatch(text, -1) {
			imported := string(match[1])
			if _, err := fs.Stat(dir, imported); errors.Is(err, fs.ErrNotExist) && !wellKnown(imported) {
				foreign = append(foreign, imported)
			}
		}

		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find imports: %w", err)
	}

	return foreign, nil
}

func wellKnown(path string) bool { return strings.HasPrefix(path, "google/protobuf/") }

// collect adds the file and, transitively, what it imports.
func collect(files map[string]protoreflect.FileDescriptor, path string) error {
	if _, done := files[path]; done || wellKnown(path) {
		return nil
	}

	file, err := protoregistry.GlobalFiles.FindFileByPath(path)
	if err != nil {
		return fmt.Errorf("%s is imported but not linked into this program: add the Go package that holds it: %w", path, err)
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
	var printer protoprint.Printer

	for path, file := range files {
		text, err := printer.PrintProtoToString(file)
		if err != nil {
			return fmt.Errorf("print %s: %w", path, err)
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
