// Package protosource reads .proto files as their authors left them, in a folder or in a revision of a Git repository, and compiles
// them to descriptors that know their lines. What they import from elsewhere (google/api, buf/validate) comes from the descriptors
// that are linked into the program.
//
// It checks nothing else: protolint and restdiff do.
package protosource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// ErrEmpty reports that there is no .proto file where some were expected.
var ErrEmpty = errors.New("no .proto files")

// Tree is the text of .proto files by the paths by which they import one another.
type Tree map[string][]byte

// Compile returns the descriptors of the files, by path. Their options are those of the linked extensions, so that
// proto.GetExtension finds them. The error is a FaultsError if a source is at fault.
func (t Tree) Compile(ctx context.Context) ([]protoreflect.FileDescriptor, error) {
	if len(t) == 0 {
		return nil, ErrEmpty
	}

	files, err := t.parse()
	if err != nil {
		return nil, err
	}

	if err := t.resolveImports(files); err != nil {
		return nil, err
	}

	if files.isEdition2024() {
		return t.compile2024(ctx, files)
	}

	var faults []Fault

	sources := protocompile.CompositeResolver{protocompile.ResolverFunc(t.find), resolveLinked()}
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(sources),
		SourceInfoMode: protocompile.SourceInfoStandard | protocompile.SourceInfoExtraOptionLocations,
		Reporter: reporter.NewReporter(func(fault reporter.ErrorWithPos) error {
			faults = append(faults, positioned(fault))

			return nil
		}, nil),
	}

	compiled, err := compiler.Compile(ctx, slices.Sorted(maps.Keys(t))...)
	if len(faults) > 0 {
		return nil, t.explain(files, faults)
	}

	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}

	set, seen := &descriptorpb.FileDescriptorSet{}, map[string]bool{}
	for _, file := range compiled {
		ordered(set, seen, file)
	}

	return t.link(set)
}

// find implements protocompile.Resolver.
func (t Tree) find(path string) (protocompile.SearchResult, error) {
	text, ok := t[path]
	if !ok {
		return protocompile.SearchResult{}, protoregistry.NotFound
	}

	return protocompile.SearchResult{Source: io.NopCloser(bytes.NewReader(text))}, nil
}

// resolveLinked resolves imports from the descriptors in the program.
func resolveLinked() protocompile.Resolver {
	return protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
		file, err := protoregistry.GlobalFiles.FindFileByPath(path)
		if err != nil {
			return protocompile.SearchResult{}, fmt.Errorf("%s: %w", path, err)
		}

		return protocompile.SearchResult{Desc: file}, nil
	})
}

// ordered adds files after those that they import.
func ordered(to *descriptorpb.FileDescriptorSet, seen map[string]bool, file protoreflect.FileDescriptor) {
	if seen[file.Path()] {
		return
	}

	seen[file.Path()] = true

	for i := range file.Imports().Len() {
		ordered(to, seen, file.Imports().Get(i).FileDescriptor)
	}

	to.File = append(to.File, protoutil.ProtoFromFileDescriptor(file))
}

// link makes descriptors of compiled files, each after those that it imports, with options as the program knows them: the
// compiler's are messages of its own.
func (t Tree) link(compiled *descriptorpb.FileDescriptorSet) ([]protoreflect.FileDescriptor, error) {
	files := &protoregistry.Files{}
	out := make([]protoreflect.FileDescriptor, 0, len(t))

	for _, file := range compiled.GetFile() {
		_, own := t[file.GetName()]

		linked, err := relinked(file, files, own)
		if err == nil {
			err = files.RegisterFile(linked)
		}

		if err != nil {
			return nil, fmt.Errorf("link %s: %w", file.GetName(), err)
		}

		if own {
			out = append(out, linked)
		}
	}

	slices.SortFunc(out, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })

	return out, nil
}

// relinked returns the descriptor that is linked into the program, or makes one of a file that is one's own.
func relinked(file *descriptorpb.FileDescriptorProto, files *protoregistry.Files, own bool) (protoreflect.FileDescriptor, error) {
	if !own {
		if global, err := protoregistry.GlobalFiles.FindFileByPath(file.GetName()); err == nil {
			return global, nil
		}
	}

	wire, err := proto.Marshal(file)
	if err != nil {
		return nil, err
	}

	parsed := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(wire, parsed); err != nil {
		return nil, err
	}

	return protodesc.NewFile(parsed, files)
}
