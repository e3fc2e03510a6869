package schema

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

// FieldPath is a field and the messages that lead to it. It is not empty.
type FieldPath []protoreflect.FieldDescriptor

// What is wrong with a path.
var (
	ErrNoField    = errors.New("there is no such field")
	ErrNotMessage = errors.New("is not a single message")
	ErrDepth      = errors.New("is nested too deep")
)

// ResolveField finds a field of a message by names in either spelling. With an error come the fields up to the fault.
func ResolveField(message protoreflect.MessageDescriptor, text string) (FieldPath, error) {
	return ResolveFieldWithin(message, text, math.MaxInt)
}

// ResolveFieldWithin is ResolveField for paths that clients choose: one of more names than depth is refused before it is looked up.
func ResolveFieldWithin(message protoreflect.MessageDescriptor, text string, depth int) (FieldPath, error) {
	if strings.Count(text, ".") >= depth {
		return nil, ErrDepth
	}

	return resolve(message, text, byName)
}

// resolve finds each field of a path by its name.
func resolve(
	message protoreflect.MessageDescriptor, text string,
	find func(protoreflect.MessageDescriptor, string) protoreflect.FieldDescriptor,
) (FieldPath, error) {
	var path FieldPath

	for name := range strings.SplitSeq(text, ".") {
		if len(path) > 0 {
			last := path.Last()
			if message = last.Message(); message == nil || last.IsList() || last.IsMap() {
				return path, ErrNotMessage
			}
		}

		field := find(message, name)
		if field == nil {
			return path, ErrNoField
		}

		path = append(path, field)
	}

	return path, nil
}

// byName finds a field by its name in JSON or, if none has it, in the proto.
func byName(message protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if field := message.Fields().ByJSONName(name); field != nil {
		return field
	}

	return message.Fields().ByTextName(name)
}

// Meant says which field was probably meant where ResolveField has found only the path, as the end of a sentence. It may be empty.
func (p FieldPath) Meant(message protoreflect.MessageDescriptor, text string) string {
	message, name := p.next(message, text)

	return hint.DidYouMean(name, FieldNames(message))
}

// next is the first name of a text that is not in the path, and the message to look for it in.
func (p FieldPath) next(message protoreflect.MessageDescriptor, text string) (protoreflect.MessageDescriptor, string) {
	if len(p) > 0 {
		message = p.Last().Message()
	}

	return message, strings.Split(text, ".")[len(p)]
}

// Last is the field that the path leads to.
func (p FieldPath) Last() protoreflect.FieldDescriptor { return p[len(p)-1] }

// Holder is the message that has the field; those on the way to it are made where they are missing.
func (p FieldPath) Holder(m protoreflect.Message) protoreflect.Message {
	for _, field := range p[:len(p)-1] {
		m = m.Mutable(field).Message()
	}

	return m
}

// FieldName is that of a field within a path: its name in JSON, unless that has characters with a meaning there (a json_name of
// "a.b"), else that in the proto.
func FieldName(field protoreflect.FieldDescriptor) string {
	if name := field.JSONName(); !strings.ContainsAny(name, ".[") {
		return name
	}

	return field.TextName()
}

// String is the path in JSON spelling.
func (p FieldPath) String() string { return p.join(FieldName) }

// TextNames is the path as the proto spells it, which is how path templates spell their variables.
func (p FieldPath) TextNames() string { return p.join(protoreflect.FieldDescriptor.TextName) }

func (p FieldPath) join(name func(protoreflect.FieldDescriptor) string) string {
	names := make([]string, len(p))
	for i, field := range p {
		names[i] = name(field)
	}

	return strings.Join(names, ".")
}

// HasText reports whether the field has a Text.
func (p FieldPath) HasText() bool {
	field := p.Last()

	return !field.IsList() && !field.IsMap() && field.Message() == nil && field.Kind() != protoreflect.BytesKind
}

// Text is the value of a field, for a header or a path. A value of an enum is its name.
func (p FieldPath) Text(m protoreflect.Message) string {
	for _, field := range p[:len(p)-1] {
		m = m.Get(field).Message()
	}

	field := p.Last()
	value := m.Get(field)

	if field.Kind() == protoreflect.EnumKind {
		if known := field.Enum().Values().ByNumber(value.Enum()); known != nil {
			return string(known.Name())
		}

		return strconv.Itoa(int(value.Enum()))
	}

	return value.String()
}
