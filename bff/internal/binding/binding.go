// Package binding fills the request message of an RPC with what an HTTP request carries, as google.api.http declares it: query
// parameters and the body. Path variables are bound by the generated handler; this package checks that nothing contradicts them.
//
// It is strict: what it does not know, or gets twice, it refuses by name. It does not know where a request comes from or goes to.
package binding

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/jsonpb"
	"github.com/portico-gateway/portico/bff/internal/route"
)

// Config is how requests are read.
type Config struct {
	Codec *jsonpb.Codec
	// IgnoredParameters are the query parameters that are passed over wherever they are not a field: names, or beginnings of names
	// with "*" behind them.
	IgnoredParameters []string
	// AllowUnknown passes over unknown query parameters and unknown fields of the body.
	AllowUnknown bool
}

// Binding is how the requests of one route are read. It is immutable and safe for concurrent use.
type Binding struct {
	config Config
	input  protoreflect.MessageDescriptor
	// variables are the fields that the path sets.
	variables []variable
	// whole tells that the body is the whole message, but for what the path says.
	whole bool
	// body is the field that is the body. Nil: none is.
	body protoreflect.FieldDescriptor
	// mask is the field that gets the paths that the body sets. Nil: none does.
	mask protoreflect.FieldDescriptor
	// names are those that query parameters may have, as far as a message of its own does not say it.
	names []string
}

// variable is a path variable and the fields that lead to the one that it sets.
type variable struct {
	name   string
	fields []protoreflect.FieldDescriptor
}

// Compile checks a route against the request message of its RPC.
func Compile(r route.Route, config Config) (*Binding, error) {
	b := &Binding{config: config, input: r.Descriptor.Input()}

	for _, name := range r.Template.Variables() {
		fields, err := resolve(b.input, name)
		if err != nil {
			return nil, fmt.Errorf("path variable %s: %w", name, err)
		}

		b.variables = append(b.variables, variable{name: name, fields: fields})
	}

	switch r.Body {
	case "":
	case "*":
		b.whole = true
	default:
		if b.body = b.input.Fields().ByName(protoreflect.Name(r.Body)); b.body == nil {
			return nil, fmt.Errorf("body: %s has no field %q", b.input.FullName(), r.Body)
		}
	}

	if r.Method == http.MethodPatch && b.body != nil && b.body.Message() != nil && !b.body.IsList() && !b.body.IsMap() {
		b.mask = maskOf(b.input)
	}

	for i := range b.input.Fields().Len() {
		if field := b.input.Fields().Get(i); !b.whole && field != b.body && !b.inPath(field) {
			b.names = append(b.names, field.JSONName())
		}
	}

	return b, nil
}

var (
	errNoField    = errors.New("there is no such field")
	errNotMessage = errors.New("is not a single message")
)

// resolve finds a field by a path of names with dots between them, in either spelling.
func resolve(message protoreflect.MessageDescriptor, path string) ([]protoreflect.FieldDescriptor, error) {
	var fields []protoreflect.FieldDescriptor

	for name := range strings.SplitSeq(path, ".") {
		if len(fields) > 0 {
			last := fields[len(fields)-1]
			if message = last.Message(); message == nil || last.IsList() || last.IsMap() {
				return fields, errNotMessage
			}
		}

		field := fieldByName(message, name)
		if field == nil {
			return fields, errNoField
		}

		fields = append(fields, field)
	}

	return fields, nil
}

// fieldByName finds a field by its name in JSON or, if none has it, in the proto.
func fieldByName(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByJSONName(name); field != nil {
		return field
	}

	return message.Fields().ByTextName(name)
}

// maskOf finds the one field of a message that is a field mask.
func maskOf(message protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	var found protoreflect.FieldDescriptor

	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		if field.Message() == nil || field.Message().FullName() != "google.protobuf.FieldMask" || field.IsList() {
			continue
		}

		if found != nil {
			return nil
		}

		found = field
	}

	return found
}

// inPath tells whether a path variable sets the field as a whole.
func (b *Binding) inPath(field protoreflect.FieldDescriptor) bool {
	return slices.ContainsFunc(b.variables, func(v variable) bool { return len(v.fields) == 1 && v.fields[0] == field })
}

// HasBody tells whether requests have a body.
func (b *Binding) HasBody() bool { return b.whole || b.body != nil }

// Path checks the values of path variables, so that what is wrong with one is said as it is of a parameter. The generated handler
// sets them. The error is Faults.
func (b *Binding) Path(values map[string]string) error {
	for _, v := range b.variables {
		field := v.last()
		if field.Kind() == protoreflect.StringKind {
			continue
		}

		if _, err := b.config.Codec.ParseText(values[v.name], field, fresh(field)); err != nil {
			return Faults{{In: InPath, Name: v.name, Reason: reason(err)}}
		}
	}

	return nil
}

// fresh returns what makes an empty value of a field that is a message. It is only good for checking a text.
func fresh(field protoreflect.FieldDescriptor) func() protoreflect.Value {
	return func() protoreflect.Value {
		return protoreflect.ValueOfMessage(dynamicpb.NewMessage(field.Message()))
	}
}
