package protosource

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"

	"github.com/bufbuild/protocompile/experimental/fdp"
	"github.com/bufbuild/protocompile/experimental/incremental"
	"github.com/bufbuild/protocompile/experimental/incremental/queries"
	"github.com/bufbuild/protocompile/experimental/ir"
	"github.com/bufbuild/protocompile/experimental/report"
	"github.com/bufbuild/protocompile/experimental/source"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// isEdition2024 reports whether any of the files is.
func (p parsed) isEdition2024() bool {
	for _, file := range p {
		if file.Edition != nil && file.Edition.Edition.AsString() == "2024" {
			return true
		}
	}

	return false
}

// compile2024 is Compile with the compiler that buf uses, which is the only one that knows edition 2024. It takes longer, because
// it reads what is linked into the program from text, and knows the lines of options but not those of their parts.
func (t Tree) compile2024(ctx context.Context, files parsed) ([]protoreflect.FileDescriptor, error) {
	own := map[string]*source.File{}
	for path, text := range t {
		own[path] = source.NewFile(path, string(text))
	}

	var options fdp.Options

	options.Apply(fdp.IncludeSourceCodeInfo(true), fdp.GenerateExtraOptionLocations(true))

	compiled, diagnostics, err := incremental.Run(ctx,
		incremental.New(incremental.WithReportOptions(report.Options{SuppressWarnings: true})),
		queries.FDS{
			Opener:  &source.Openers{source.NewMap(own), &linked{}, source.WKTs()},
			Session: new(ir.Session), Workspace: source.NewWorkspace(slices.Sorted(maps.Keys(t))...), Options: options,
		})
	if err == nil && len(compiled) > 0 {
		err = compiled[0].Fatal
	}

	if found := faults(diagnostics); len(found) > 0 {
		return nil, t.explain(files, found)
	}

	if err != nil {
		return nil, fmt.Errorf("compile: %w", err)
	}

	return t.link(compiled[0].Value)
}

// faults are the errors that the compiler found, in order.
func faults(diagnostics *report.Report) []Fault {
	if diagnostics == nil {
		return nil
	}

	var all []Fault

	for _, d := range diagnostics.Diagnostics {
		if d.Level() > report.Error {
			continue
		}

		// A fault without a place is said again with one, where the file is imported.
		if span := d.Primary(); !span.IsZero() {
			start := span.StartLoc()
			at := protopos.Position{File: span.Path(), Line: start.Line, Column: start.Column}
			all = append(all, Fault{Position: at, Message: nameMember(d.Message(), span.Text())})
		}
	}

	return all
}

// unnamedMember is the message about a field of an option that is not known, in a message literal. It has the type alone.
var unnamedMember = regexp.MustCompile("^cannot resolve message field name for (`[\\w.]+`)$")

// nameMember gives such a message the name of the field, with which its source begins, in the form that it has outside of message
// literals.
func nameMember(message, source string) string {
	found := unnamedMember.FindStringSubmatch(message)
	if name := firstWord.FindString(source); found != nil && name != "" {
		return fmt.Sprintf("cannot find message field `%s` in %s", name, found[1])
	}

	return message
}

var firstWord = regexp.MustCompile(`^\w+`)

// linked opens the files whose descriptors are in the program. Openers are compared, so it must not be empty.
type linked struct{ _ byte }

// Open implements source.Opener.
func (*linked) Open(path string) (*source.File, error) {
	file, err := protoregistry.GlobalFiles.FindFileByPath(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}

	text, err := Print(file)
	if err != nil {
		return nil, err
	}

	return source.NewFile(path, text), nil
}
