// Package protopos says where something is in a .proto file, from the source information of its descriptor, so that faults can be
// reported with their lines. Descriptors without source information, as those of generated code, have no lines: what is left
// then is the file.
package protopos

import (
	"cmp"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Numbers of fields in descriptor.proto. The paths of source locations are made of them.
const (
	fieldPackage        = 2
	fieldService        = 6
	fieldFileOptions    = 8
	fieldGoPackage      = 11
	fieldServiceMethod  = 2
	fieldServiceOptions = 3
	fieldMethodOptions  = 4
	fieldMessageOptions = 7
	fieldFieldOptions   = 8
	fieldOneofOptions   = 2
)

// fieldAdditional is the number of google.api.HttpRule.additional_bindings.
const fieldAdditional = 11

// Position is a place in a .proto file.
type Position struct {
	// File is the path of the file as others import it.
	File string `json:"file"`
	// Line and Column count from 1. Zero: they are not known.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// String is the position as "file:line:column", or the file alone.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}

	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Compare orders positions by file, line and column.
func (p Position) Compare(other Position) int {
	return cmp.Or(strings.Compare(p.File, other.File), cmp.Compare(p.Line, other.Line), cmp.Compare(p.Column, other.Column))
}

// Below is the position with the path of the file below a folder.
func (p Position) Below(dir string) Position {
	p.File = path.Join(filepath.ToSlash(dir), p.File)

	return p
}

// Of is where the declaration of an element begins.
func Of(element protoreflect.Descriptor) Position {
	file := element.ParentFile()

	return at(file, file.SourceLocations().ByDescriptor(element))
}

// GoPackage is where the go_package of a file is, else its package, else its beginning.
func GoPackage(file protoreflect.FileDescriptor) Position {
	for _, path := range []protoreflect.SourcePath{{fieldFileOptions, fieldGoPackage}, {fieldPackage}} {
		if found := file.SourceLocations().ByPath(path); found.Path != nil {
			return at(file, found)
		}
	}

	return Position{File: file.Path(), Line: 1, Column: 1}
}

// Policy is where the policy of a method is: its own option, else that of its service, else the method itself.
//
// With the path of a field of portico.v1.MethodPolicy, "rate_limits[0].per", it is where that field is set, or the innermost of the
// fields around it that has a place of its own: in the method's own option if that sets the first of them, or else among the
// defaults of its service. A field that neither sets is where it would have to be set for the method.
func Policy(method protoreflect.MethodDescriptor, path string) Position {
	parent := protoreflect.SourcePath{fieldService, int32(method.Parent().Index())}
	self := append(slices.Clone(parent), fieldServiceMethod, int32(method.Index()))
	own := append(slices.Clone(self), fieldMethodOptions, int32(porticov1.E_Policy.TypeDescriptor().Number()))
	service := append(slices.Clone(parent), fieldServiceOptions, int32(porticov1.E_Service.TypeDescriptor().Number()))
	defaults := append(slices.Clone(service), defaultsNumber())
	field := numbers(path)

	if !SetsPolicy(method, path) && defaultsSet(method, path) {
		return first(method, append(inward(defaults, field), defaults, service)...)
	}

	return first(method, append(inward(own, field), own, service, self)...)
}

// numbers are the numbers and indices of the fields on a path in portico.v1.MethodPolicy.
func numbers(path string) []int32 {
	var out []int32

	message := (&porticov1.MethodPolicy{}).ProtoReflect().Descriptor()

	for part := range strings.SplitSeq(path, ".") {
		name, index, indexed := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		if message == nil || message.Fields().ByName(protoreflect.Name(name)) == nil {
			break
		}

		field := message.Fields().ByName(protoreflect.Name(name))
		out, message = append(out, int32(field.Number())), field.Message()

		if n, err := strconv.ParseInt(index, 10, 32); indexed && err == nil {
			out = append(out, int32(n))
		}
	}

	return out
}

// SetsPolicy reports whether a method itself sets the first of the fields on a path in portico.v1.MethodPolicy.
func SetsPolicy(method protoreflect.MethodDescriptor, path string) bool {
	options, ok := proto.GetExtension(method.Options(), porticov1.E_Policy).(*porticov1.MethodPolicy)

	return ok && has(options, path)
}

// defaultsSet reports whether the service of a method sets it for its methods.
func defaultsSet(method protoreflect.MethodDescriptor, path string) bool {
	options, ok := proto.GetExtension(method.Parent().Options(), porticov1.E_Service).(*porticov1.ServicePolicy)

	return ok && has(options.GetDefaults(), path)
}

func has(policy *porticov1.MethodPolicy, path string) bool {
	name, _, _ := strings.Cut(path, ".")
	name, _, _ = strings.Cut(name, "[")
	message := policy.ProtoReflect()
	field := message.Descriptor().Fields().ByName(protoreflect.Name(name))

	return field != nil && message.Has(field)
}

// HTTP is where the google.api.http option of a method is, else the method. With the path of a field of google.api.HttpRule, by
// numbers and indices, it is where that field is set, or the innermost of the fields around it that has a place of its own.
func HTTP(method protoreflect.MethodDescriptor, field ...int32) Position {
	self := protoreflect.SourcePath{fieldService, int32(method.Parent().Index()), fieldServiceMethod, int32(method.Index())}
	option := append(slices.Clone(self), fieldMethodOptions, int32(annotations.E_Http.TypeDescriptor().Number()))

	return first(method, append(inward(option, field), option, self)...)
}

// OwnPolicy is where the portico.v1.policy option of a method is, else the method.
func OwnPolicy(method protoreflect.MethodDescriptor) Position {
	return Option(method, porticov1.E_Policy)
}

// Option is where the first of the options that an element has is, else the element.
func Option(element protoreflect.Descriptor, options ...protoreflect.ExtensionType) Position {
	file := element.ParentFile()
	self := file.SourceLocations().ByDescriptor(element)

	for _, option := range options {
		if option.TypeDescriptor().ContainingMessage().FullName() != element.Options().ProtoReflect().Descriptor().FullName() {
			continue
		}

		path := append(slices.Clone(self.Path), optionsNumber(element), int32(option.TypeDescriptor().Number()))
		if found := location(file, path); found.Path != nil {
			return at(file, found)
		}
	}

	return at(file, self)
}

// optionsNumber is that of the field for options in the descriptor of an element.
func optionsNumber(element protoreflect.Descriptor) int32 {
	switch element.(type) {
	case protoreflect.MessageDescriptor:
		return fieldMessageOptions
	case protoreflect.FieldDescriptor:
		return fieldFieldOptions
	case protoreflect.OneofDescriptor:
		return fieldOneofOptions
	default:
		return fieldMethodOptions
	}
}

// Route is where the path of a route is: in its binding, or in a gRPC API configuration.
func Route(r schema.Route) Position { return Fault(r.Fault(nil)) }

// Rule is where a rule is that is not in a proto.
func Rule(r schema.Rule) Position { return Position{File: r.File, Line: r.Line, Column: r.Column} }

// Fault is where a fault of a route is.
func Fault(f *schema.Fault) Position {
	if f.Rule == nil {
		return HTTP(f.Method, f.Field...)
	}

	at := Rule(*f.Rule)
	if len(f.Field) > 1 && f.Field[0] == fieldAdditional && int(f.Field[1]) < len(f.Rule.Additional) {
		at.Line, at.Column = f.Rule.Additional[f.Field[1]][0], f.Rule.Additional[f.Field[1]][1]
	}

	return at
}

// Service is where the portico.v1.service option of a service is, else the service.
func Service(service protoreflect.ServiceDescriptor) Position {
	self := protoreflect.SourcePath{fieldService, int32(service.Index())}

	return first(service,
		append(slices.Clone(self), fieldServiceOptions, int32(porticov1.E_Service.TypeDescriptor().Number())), self)
}

// inward are the paths below base to the field and to those around it, the longest first, without base itself.
func inward(base protoreflect.SourcePath, field []int32) []protoreflect.SourcePath {
	var paths []protoreflect.SourcePath
	for n := len(field); n > 0; n-- {
		paths = append(paths, append(slices.Clone(base), field[:n]...))
	}

	return paths
}

// first is the place of the first path that has one.
func first(element protoreflect.Descriptor, paths ...protoreflect.SourcePath) Position {
	file := element.ParentFile()

	for _, path := range paths {
		if found := location(file, path); found.Path != nil {
			return at(file, found)
		}
	}

	return Position{File: file.Path()}
}

// location is that of a path, else that of the first of its parts: of a list there may be only the elements, and of a message only
// the fields. The zero location is that of nothing: locations of what exists have a path.
func location(file protoreflect.FileDescriptor, path protoreflect.SourcePath) protoreflect.SourceLocation {
	first := file.SourceLocations().ByPath(path)
	if first.Path != nil {
		return first
	}

	for i := range file.SourceLocations().Len() {
		part := file.SourceLocations().Get(i)
		if len(part.Path) > len(path) && slices.Equal(part.Path[:len(path)], path) && (first.Path == nil || before(part, first)) {
			first = part
		}
	}

	return first
}

func before(a, b protoreflect.SourceLocation) bool {
	return cmp.Or(cmp.Compare(a.StartLine, b.StartLine), cmp.Compare(a.StartColumn, b.StartColumn)) < 0
}

func at(file protoreflect.FileDescriptor, location protoreflect.SourceLocation) Position {
	if location.Path == nil {
		return Position{File: file.Path()}
	}

	return Position{File: file.Path(), Line: location.StartLine + 1, Column: location.StartColumn + 1}
}

func defaultsNumber() int32 {
	return int32((&porticov1.ServicePolicy{}).ProtoReflect().Descriptor().Fields().ByName("defaults").Number())
}
