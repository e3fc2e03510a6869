// Package binding fills the request message of an RPC with what an HTTP request carries, as google.api.http declares it: path
// variables, query parameters and the body. It checks that they do not contradict one another.
//
// It is strict: what it does not know, or gets twice, it refuses by name. It does not know where a request comes from or goes to.
package binding

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// Config is how requests are read.
type Config struct {
	Codec *protojson.Codec
	// IgnoredParameters are the query parameters that are ignored unless they are a field: names, or prefixes followed by "*".
	IgnoredParameters []string
	// AllowUnknown ignores unknown query parameters and unknown fields of the body.
	AllowUnknown bool
	// Fields is how clients choose the fields of responses. Nil: they do not.
	Fields *Fields
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
	// bodyIsMessage reports whether the body is the request message, without the fields that the path sets.
	bodyIsMessage bool
	// body is the field that is the body. Nil: none is.
	body protoreflect.FieldDescriptor
	// file reports whether the body is a google.api.HttpBody: bytes of any type.
	file bool
	// mask is the field that gets the paths that the body sets. Nil: none does.
	mask protoreflect.FieldDescriptor
	// readMask is the field that gets the fields that are chosen of the response. Nil: none does.
	readMask protoreflect.FieldDescriptor
	// update is how a request says which fields it changes. Nil: it does not.
	update *update
	// hasMask reports whether there is a field mask anywhere in the message.
	hasMask bool
	// small reports whether the message is, whatever the request.
	small bool
	// raw leads to the messages with a JSON form of their own that may hold what JSON cannot.
	raw []schema.FieldPath
	// names are those that query parameters may begin with.
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
	b := &Binding{config: config, input: r.Descriptor.Input(), small: isSmall(r.Descriptor.Input())}

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

	b.readMask = b.readMaskOf()
	b.update = b.updateOf(r)
	b.raw = b.rawMessages()
	b.hasMask = slices.ContainsFunc(schema.Messages(r.Descriptor.Input()), func(message protoreflect.MessageDescriptor) bool {
		return message.FullName() == fieldMask
	})

	for i := range b.input.Fields().Len() {
		if field := b.input.Fields().Get(i); !b.bodyIsMessage && field != b.body && !b.inPath(field) {
			b.names = append(b.names, schema.FieldName(field))
		}
	}

	if config.Fields != nil {
		b.names = append(b.names, config.Fields.Parameter)
	}

	return b, nil
}

// setBody finds out what the body is.
func (b *Binding) setBody(r schema.Route) {
	switch r.Body {
	case "":
		return
	case "*":
		b.bodyIsMessage = true
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

// inPath reports whether a path variable sets the field itself.
func (b *Binding) inPath(field protoreflect.FieldDescriptor) bool {
	return slices.ContainsFunc(b.variables, func(v variable) bool { return len(v.path) == 1 && v.path[0] == field })
}

// HasBody reports whether requests have a body.
func (b *Binding) HasBody() bool { return b.bodyIsMessage || b.body != nil }

// IsFile reports whether the body is bytes of any type, for SetFile, instead of a JSON document.
func (b *Binding) IsFile() bool { return b.file }

// Path puts the path variables for the generated handler into an empty map. The handler may know nothing of them, or set them. A
// string is passed as it is. Anything else gets a placeholder, since the handler reads less than SetPath does, and has worse
// errors. SetPath has to follow.
func (b *Binding) Path(values pathtemplate.Values, shown map[string]string) {
	for _, v := range b.variables {
		if v.isString {
			shown[v.name] = values.Get(v.name)
		} else {
			shown[v.name] = v.placeholder()
		}
	}
}

func isString(field protoreflect.FieldDescriptor) bool {
	return field.Kind() == protoreflect.StringKind && !field.IsList()
}

// placeholder is a text that generated code can read as a value of the variable.
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

// SetPath sets the path variables. The error is Faults.
func (b *Binding) SetPath(values pathtemplate.Values, m protoreflect.Message) error {
	for _, v := range b.variables {
		holder, field, text := v.path.Holder(m), v.path.Last(), values.Get(v.name)

		if v.isString {
			// The handler may have set it, and looking is cheaper than setting it again.
			if !holder.Has(field) || holder.Get(field).String() != text {
				holder.Set(field, protoreflect.ValueOfString(text))
			}

			continue
		}

		value, err := b.parseVariable(text, field, holder.NewField)
		if err != nil {
			return Fault{In: InPath, Name: v.name, Reason: err.Error()}.error()
		}

		holder.Set(field, value)
	}

	return nil
}

// parseVariable reads the value of a variable. The elements of a list, which google.api.http does not know but grpc-gateway does,
// are separated by commas.
func (b *Binding) parseVariable(
	text string, field protoreflect.FieldDescriptor, newField func(protoreflect.FieldDescriptor) protoreflect.Value,
) (protoreflect.Value, error) {
	memory := textMemory(len(text))
	limits := protojson.Limits{Memory: &memory}

	if !field.IsList() {
		return b.config.Codec.ParseText(text, field, func() protoreflect.Value { return newField(field) }, limits)
	}

	const maxElements = 1000
	if strings.Count(text, ",") >= maxElements {
		return protoreflect.Value{}, fmt.Errorf("has more than %d elements", maxElements)
	}

	list := newField(field)

	for text := range strings.SplitSeq(text, ",") {
		value, err := b.config.Codec.ParseText(text, field, list.List().NewElement, limits)
		if err != nil {
			return value, err
		}

		list.List().Append(value)
	}

	return list, nil
}
