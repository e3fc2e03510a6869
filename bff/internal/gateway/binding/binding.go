// Package binding fills the request message of an RPC with what an HTTP request carries, as google.api.http declares it: path
// variables, query parameters and the body. It checks that they do not contradict one another.
//
// It is strict: what it does not know, or gets twice, it refuses by name. It does not know where a request comes from or goes to.
package binding

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Config is how requests are read.
type Config struct {
	Codec *protojson.Codec
	// IgnoredParameters are the query parameters that are passed over wherever they are not a field: names, or beginnings of names
	// with "*" behind them.
	IgnoredParameters []string
	// AllowUnknown passes over unknown query parameters and unknown fields of the body.
	AllowUnknown bool
	// Headers set fields.
	Headers []Header
	// Validator knows the rules of the messages. It is safe for concurrent use.
	Validator protovalidate.Validator
}

// Header is a field that a header sets.
type Header struct {
	// Name is in canonical form.
	Name  string
	Field schema.FieldPath
}

// httpBody is the message that is bytes of any type.
const httpBody = "google.api.HttpBody"

// fieldMask is the message that names fields.
const fieldMask = "google.protobuf.FieldMask"

// Binding is how the requests of one route are read. It is immutable and safe for concurrent use.
type Binding struct {
	config Config
	input  protoreflect.MessageDescriptor
	// variables are the fields that the path sets.
	variables []variable
	// whole reports whether the body is the whole message, but for what the path says.
	whole bool
	// body is the field that is the body. Nil: none is.
	body protoreflect.FieldDescriptor
	// file reports whether the body is a google.api.HttpBody: bytes of any type.
	file bool
	// mask is the field that gets the paths that the body sets. Nil: none does.
	mask protoreflect.FieldDescriptor
	// update is how a request says which fields it changes. Nil: it says nothing about it.
	update *update
	// hasMask reports whether there is a field mask in the message or in what it holds.
	hasMask bool
	// raw leads to the messages with a JSON form of their own that may hold what JSON cannot.
	raw []schema.FieldPath
	// names are those that query parameters may have, as far as a message of its own does not say it.
	names []string
}

// variable is a path variable and the field that it sets.
type variable struct {
	name     string
	path     schema.FieldPath
	isString bool
}

// Compile checks a route against the request message of its RPC.
func Compile(r schema.Route, config Config) (*Binding, error) {
	b := &Binding{config: config, input: r.Descriptor.Input()}

	if faults := r.CheckFields(); len(faults) > 0 {
		errs := make([]error, 0, len(faults))
		for _, f := range faults {
			errs = append(errs, f.Err)
		}

		return nil, errors.Join(errs...)
	}

	for _, name := range r.Template.Variables() {
		path, err := schema.ResolveVariable(b.input, name)
		if err != nil {
			return nil, fmt.Errorf("path variable %s: %w", name, err)
		}

		b.variables = append(b.variables, variable{name: name, path: path, isString: isString(path.Last())})
	}

	b.setBody(r)

	b.update = b.updateOf(r)
	b.raw = b.rawMessages()
	b.hasMask = reaches(b.input, map[protoreflect.FullName]bool{})

	for i := range b.input.Fields().Len() {
		if field := b.input.Fields().Get(i); !b.whole && field != b.body && !b.inPath(field) {
			b.names = append(b.names, schema.FieldName(field))
		}
	}

	return b, nil
}

// setBody finds out what the body is.
func (b *Binding) setBody(r schema.Route) {
	switch r.Body {
	case "":
		return
	case "*":
		b.whole = true
		b.file = b.input.FullName() == httpBody

		return
	}

	b.body = b.input.Fields().ByName(protoreflect.Name(r.Body))
	single := b.body.Message() != nil && !b.body.IsList() && !b.body.IsMap()
	b.file = single && b.body.Message().FullName() == httpBody

	if mask, derived := r.UpdateMask(); derived {
		b.mask = mask
	}
}

// inPath reports whether a path variable sets the field as a whole.
func (b *Binding) inPath(field protoreflect.FieldDescriptor) bool {
	return slices.ContainsFunc(b.variables, func(v variable) bool { return len(v.path) == 1 && v.path[0] == field })
}

// HasBody reports whether requests have a body.
func (b *Binding) HasBody() bool { return b.whole || b.body != nil }

// IsFile reports whether the body is bytes of any type, which SetFile takes, instead of a JSON document.
func (b *Binding) IsFile() bool { return b.file }

// Path checks the values of path variables and returns those that the generated handler gets. It may know nothing of them, or set
// them: strings as they are; of everything else it takes less than ParseText does, and says worse what is wrong, so it gets what it
// takes for sure. SetPath has to follow. The error is Faults.
func (b *Binding) Path(values map[string]string) (map[string]string, error) {
	shown, copied := values, false

	for _, v := range b.variables {
		if v.isString {
			continue
		}

		if _, err := b.variable(v, values, fresh(v.path.Last())); err != nil {
			return nil, err
		}

		if !copied {
			shown, copied = maps.Clone(values), true
		}

		shown[v.name] = v.placeholder()
	}

	return shown, nil
}

func isString(field protoreflect.FieldDescriptor) bool {
	return field.Kind() == protoreflect.StringKind && !field.IsList()
}

// placeholder is a text that generated code takes for a value of the variable.
func (v variable) placeholder() string {
	field := v.path.Last()
	if field.Message() != nil {
		switch field.Message().FullName() {
		case "google.protobuf.Timestamp":
			return "1970-01-01T00:00:00Z"
		case "google.protobuf.Duration":
			return "0s"
		}

		if value := field.Message().Fields().ByName("value"); value != nil {
			field = value
		}
	}

	switch field.Kind() {
	case protoreflect.BoolKind:
		return "false"
	case protoreflect.EnumKind:
		return string(field.Enum().Values().Get(0).Name())
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return ""
	default:
		return "0"
	}
}

// SetPath sets path variables as they are. The error is Faults.
func (b *Binding) SetPath(values map[string]string, m protoreflect.Message) error {
	for _, v := range b.variables {
		holder, field := v.path.Holder(m), v.path.Last()

		if v.isString {
			// The handler may have set it, which is cheaper to find out than to do again.
			if text := values[v.name]; !holder.Has(field) || holder.Get(field).String() != text {
				holder.Set(field, protoreflect.ValueOfString(text))
			}

			continue
		}

		value, err := b.variable(v, values, func() protoreflect.Value { return holder.NewField(field) })
		if err != nil {
			return err
		}

		holder.Set(field, value)
	}

	return nil
}

// variable reads the value of a variable. Of a list, which google.api.http does not know but grpc-gateway does, the elements are
// separated by commas.
func (b *Binding) variable(v variable, values map[string]string, fresh func() protoreflect.Value) (protoreflect.Value, error) {
	field := v.path.Last()
	memory := textMemory(len(values[v.name]))
	limits := protojson.Limits{Memory: &memory}

	if !field.IsList() {
		value, err := b.config.Codec.ParseText(values[v.name], field, fresh, limits)
		if err != nil {
			return value, Fault{In: InPath, Name: v.name, Reason: err.Error()}.error()
		}

		return value, nil
	}

	if strings.Count(values[v.name], ",") >= maxElements {
		reason := fmt.Sprintf("has more than %d elements", maxElements)

		return protoreflect.Value{}, Fault{In: InPath, Name: v.name, Reason: reason}.error()
	}

	list := fresh().List()

	for text := range strings.SplitSeq(values[v.name], ",") {
		value, err := b.config.Codec.ParseText(text, field, list.NewElement, limits)
		if err != nil {
			return value, Fault{In: InPath, Name: v.name, Reason: err.Error()}.error()
		}

		list.Append(value)
	}

	return protoreflect.ValueOfList(list), nil
}

// maxElements is how many elements a path variable may have that is a list.
const maxElements = 1000

// fresh returns what makes an empty value of a field that is a message or a list. It is only good for checking a text.
func fresh(field protoreflect.FieldDescriptor) func() protoreflect.Value {
	return func() protoreflect.Value {
		if field.IsList() {
			return dynamicpb.NewMessage(field.ContainingMessage()).NewField(field)
		}

		return protoreflect.ValueOfMessage(dynamicpb.NewMessage(field.Message()))
	}
}
