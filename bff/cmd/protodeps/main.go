// Command protodeps runs before code is generated. It prints the foreign .proto files that one's own import into a folder,
// so that generating needs no schema registry. They come from descriptors that are linked into this program, so their version is
// the one that go.mod pins: portico/v1, buf/validate, google/longrunning, and google/api, google/rpc and google/type as far as
// their Go modules have them. Then it prints what is wrong with one's own files, with the line: what does not compile, what a
// gateway would not start with, and a go_package that is not where the code is written to. The exit code is 1 if there is anything.
//
// Repositories that use Portico as a library run it as a tool of their go.mod. To them, portico/v1/policy.proto is foreign, too:
//
//	go tool protodeps -proto proto -out .deps/proto
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/tool/protocheck"
	"github.com/portico-gateway/portico/bff/internal/tool/protolint"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
)

func main() {
	protos := flag.String("proto", "proto", "folder of one's own .proto files")
	out := flag.String("out", ".deps/proto", "folder to print the foreign ones into; it is emptied first")
	template := flag.String("template", "buf.gen.yaml", "buf's template, with the options of the plugins")

	flag.Parse()

	if flag.NArg() > 0 {
		_, _ = fmt.Fprintf(os.Stderr, "protodeps: %q is too much: the command takes only flags\n", flag.Arg(0))

		os.Exit(exitUsage)
	}

	err := run(context.Background(), os.Stderr, protocheck.Repository{Protos: *protos, Template: *template}, *out)

	if err != nil && !errors.Is(err, errFindings) {
		fmt.Fprintln(os.Stderr, "protodeps:", err)
	}

	if err != nil {
		os.Exit(1)
	}
}

// exitUsage is that of package flag for an invalid command line.
const exitUsage = 2

// errFindings: what is wrong was printed.
var errFindings = errors.New("there are findings")

func run(ctx context.Context, printer io.Writer, repository protocheck.Repository, out string) error {
	for _, own := range []string{".", repository.Protos} {
		if contains(out, own) {
			return fmt.Errorf("-out %s: the folder is emptied, so it must not contain %s", out, own)
		}
	}

	tree, err := protosource.Dir(repository.Protos)
	if err != nil {
		return err
	}

	imports, err := tree.ForeignImports()
	if err != nil {
		findings, err := protocheck.Sources(repository.Protos, err)

		return report(printer, findings, err)
	}

	if err := writeFiles(imports, out); err != nil {
		return err
	}

	findings, err := protocheck.Check(ctx, repository)

	return report(printer, findings, err)
}

// contains reports whether a folder is another one or around it.
func contains(dir, other string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}

	other, err = filepath.Abs(other)
	if err != nil {
		return false
	}

	inside, err := filepath.Rel(dir, other)

	return err == nil && filepath.IsLocal(inside)
}

// report prints findings, a line each. If there are any, the error is errFindings.
func report(printer io.Writer, findings []protolint.Finding, err error) error {
	for _, finding := range findings {
		if _, err := fmt.Fprintln(printer, finding); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}

	if err == nil && len(findings) > 0 {
		return errFindings
	}

	return err
}

// writeFiles prints files, with all that they import, into a folder that it empties.
func writeFiles(imports []protosource.Import, out string) error {
	files := map[string]protoreflect.FileDescriptor{}

	for _, foreign := range imports {
		file, err := protoregistry.GlobalFiles.FindFileByPath(foreign.Path)
		if err != nil {
			return fmt.Errorf("%s: %w", foreign.Path, err)
		}

		collect(files, file)
	}

	if err := os.RemoveAll(out); err != nil {
		return fmt.Errorf("empty %s: %w", out, err)
	}

	return printFiles(files, out)
}

// collect adds a file and, transitively, what it imports.
func collect(files map[string]protoreflect.FileDescriptor, file protoreflect.FileDescriptor) {
	if files[file.Path()] != nil || protosource.WellKnown(file.Path()) {
		return
	}

	files[file.Path()] = file

	for i := range file.Imports().Len() {
		collect(files, file.Imports().Get(i).FileDescriptor)
	}
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
