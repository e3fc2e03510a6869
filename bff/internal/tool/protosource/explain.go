package protosource

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bufbuild/protocompile/parser"
	"github.com/bufbuild/protocompile/reporter"
	"google.golang.org/protobuf/types/descriptorpb"
)

// explain adds to faults what to do about them, and leaves out those that follow from another one.
func (t Tree) explain(files parsed, faults []Fault) FaultsError {
	e := explanation{files: files, said: map[string]bool{}}
	for name := range files {
		e.own = append(e.own, declarations(files, name))
	}

	var out []Fault

	for _, fault := range sorted(faults) {
		if fault, ok := e.explain(fault); ok {
			out = append(out, fault)
		}
	}

	return sorted(out)
}

// declarations are what a file declares, as far as its syntax tells.
func declarations(files parsed, name string) *descriptorpb.FileDescriptorProto {
	handler := reporter.NewHandler(reporter.NewReporter(func(reporter.ErrorWithPos) error { return nil }, nil))

	// The parser refuses edition 2024, and reads on. What is wrong was said before.
	result, _ := parser.ResultFromAST(files[name], false, handler)

	return result.FileDescriptorProto()
}

// explanation is what is known while faults are explained.
type explanation struct {
	files parsed
	own   []*descriptorpb.FileDescriptorProto
	// said are the explanations that hold for several faults. The first of these gets it.
	said map[string]bool
}

// What the compilers say.
var (
	unknownName = regexp.MustCompile(
		"unknown (extension|type|request type|response type|extendee type) ([\\w.]+)|cannot find `([\\w.]+)` in this scope")
	// unknownMember is what the compiler for edition 2024 says of a field of an option.
	unknownMember = regexp.MustCompile("^cannot find message field `([^`]+)` in `([\\w.]+)`$")
	unknownField  = regexp.MustCompile(
		`option \(([\w.]+)\).*: (?:field (\w+) (?:not found|of [\w.]+ does not exist)|enum ([\w.]+) has no value named (\w+))$`)
	defined        = regexp.MustCompile(`^symbol "([\w.]+)" already defined`)
	unknownEdition = regexp.MustCompile(`^edition value ("[^"]*") not recognized`)
)

// noLabel is in what is said of proto3 that is read as proto2, which is what a file is that does not say its syntax.
const noLabel = "proto2 requires explicit 'optional' label"

// explain returns a fault with what to do about it. It is not ok if the fault follows from one that was explained.
func (e *explanation) explain(fault Fault) (Fault, bool) {
	file := e.files[fault.File]
	if file != nil && file.Syntax == nil && file.Edition == nil && strings.Contains(fault.Message, noLabel) {
		fault.Line, fault.Column = 1, 1
		fault.Message = `the file does not say its syntax: begin it with syntax = "proto3";`

		return fault, e.first(fault.File, noLabel)
	}

	if found := unknownEdition.FindStringSubmatch(fault.Message); found != nil {
		fault.Message = fmt.Sprintf("edition %s is not known; 2023 and 2024 are", found[1])

		return fault, true
	}

	if found := defined.FindStringSubmatch(fault.Message); found != nil {
		parent := found[1][:max(strings.LastIndex(found[1], "."), 0)]
		e.said[fault.File+": "+found[1]] = true

		return fault, !e.said[fault.File+": "+parent]
	}

	found := unknownName.FindStringSubmatch(fault.Message)
	if found == nil {
		fault.Message = explainOption(fault.Message)

		return fault, true
	}

	name := strings.TrimPrefix(found[2]+found[3], ".")
	if full, in := e.find(fault.File, name); in != "" && in != fault.File && !e.imports(fault.File, in) {
		fault.Message = fmt.Sprintf("%s is not imported: add import %q;", full, in)

		return fault, e.first(fault.File, in)
	}

	fault.Message += e.meant(name)

	return fault, true
}

// first reports whether something is said for the first time.
func (e *explanation) first(parts ...string) bool {
	key := strings.Join(parts, "\x00")
	defer func() { e.said[key] = true }()

	return !e.said[key]
}

// imports reports whether a file imports another one itself.
func (e *explanation) imports(name, other string) bool {
	return slices.ContainsFunc(e.files.imports(name), func(i Import) bool { return i.Path == other })
}
