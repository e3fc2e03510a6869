package binding

import (
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// rawMessages finds the messages with a JSON form of their own, such as a Duration, whose fields path, query or headers set one by
// one, so that JSON may have no form for them. An empty path is the request itself.
func (b *Binding) rawMessages() []schema.FieldPath {
	var found []schema.FieldPath

	add := func(path schema.FieldPath) {
		if !slices.ContainsFunc(found, func(other schema.FieldPath) bool { return slices.Equal(other, path) }) {
			found = append(found, path)
		}
	}

	// A body has been read from JSON, unless there was none.
	if hasForm(b.input) && (!b.bodyIsMessage || protojson.FormOf(b.input.FullName()) == protojson.FormValue) {
		add(nil)
	}

	set := make([]schema.FieldPath, 0, len(b.variables)+len(b.config.Headers))
	for _, v := range b.variables {
		set = append(set, v.path)
	}

	for _, h := range b.config.Headers {
		set = append(set, h.Field)
	}

	for _, path := range set {
		i := slices.IndexFunc(path, func(field protoreflect.FieldDescriptor) bool {
			return hasForm(field.ContainingMessage())
		})
		if i >= 0 {
			add(path[:i])
		}
	}

	return found
}

// Writable checks that JSON has a form for the messages that the path, the query and headers set field by field. The error is
// Faults.
func (b *Binding) Writable(m proto.Message) error {
	var faults Faults

	for _, path := range b.raw {
		if message := within(m.ProtoReflect(), path); message.IsValid() && !b.isWritable(message) {
			culprit := b.culprit(path, message)

			var first protoreflect.FieldDescriptor
			if len(culprit) > 0 {
				first = culprit[0]
			}

			fault := b.place(culprit.String(), first, nil)
			fault.Reason = unwritable(message.Descriptor().FullName())
			faults.List = append(faults.List, fault)
		}
	}

	return faults.error()
}

func (b *Binding) isWritable(m protoreflect.Message) bool {
	_, err := b.config.Codec.Append(nil, m.Interface(), b.hasMask)
	return err == nil
}

// within returns the message that a path leads to.
func within(m protoreflect.Message, path schema.FieldPath) protoreflect.Message {
	for _, field := range path {
		m = m.Get(field).Message()
	}

	return m
}

// culprit returns the path of the field that makes a message one that cannot be written, or else of the first that is set, if any
// is.
func (b *Binding) culprit(path schema.FieldPath, message protoreflect.Message) schema.FieldPath {
	unset := func(field protoreflect.FieldDescriptor) bool { return !message.Has(field) }

	set := slices.DeleteFunc(fieldsOf(message.Descriptor()), unset)
	if len(set) == 0 {
		return path
	}

	i := slices.IndexFunc(set, func(field protoreflect.FieldDescriptor) bool {
		alone := message.New()
		alone.Set(field, message.Get(field))

		return !b.isWritable(alone)
	})

	return append(slices.Clip(path), set[max(i, 0)])
}

// fieldsOf lists the fields of a message.
func fieldsOf(message protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	fields := make([]protoreflect.FieldDescriptor, message.Fields().Len())
	for i := range fields {
		fields[i] = message.Fields().Get(i)
	}

	return fields
}

// unwritable is why JSON has no form for a message.
func unwritable(name protoreflect.FullName) string {
	switch protojson.FormOf(name) {
	case protojson.FormTimestamp, protojson.FormDuration:
		return "is out of range for a " + string(name)
	case protojson.FormValue:
		return "is nothing that a " + string(name) + " can be: null, a finite number, a string, a boolean, an object or a list"
	case protojson.FormAny:
		return "is not a message of a type that this gateway knows"
	case protojson.FormFieldMask:
		return "is not a path of fields"
	default:
		return "has no form in JSON"
	}
}
