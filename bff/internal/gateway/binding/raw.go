package binding

import (
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// rawMessages finds the messages with a JSON form of their own, such as a Duration, whose fields path, query or headers set one by
// one. They may then hold what JSON has no form for, which no response could have. An empty path means the request itself.
func (b *Binding) rawMessages() []schema.FieldPath {
	var found []schema.FieldPath

	add := func(path schema.FieldPath) {
		if !slices.ContainsFunc(found, func(other schema.FieldPath) bool { return slices.Equal(other, path) }) {
			found = append(found, path)
		}
	}

	// A body has been read from JSON, unless there was none.
	if form := protojson.FormOf(b.input.FullName()); form != protojson.FormObject && (!b.whole || form == protojson.FormValue) {
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

// Writable checks that JSON has a form for what the path, the query and headers made of messages that have one of their own. The
// error is Faults.
func (b *Binding) Writable(m proto.Message) error {
	var faults Faults

	for _, path := range b.raw {
		if message := within(m.ProtoReflect(), path); message.IsValid() && !b.isWritable(message) {
			fault := b.place(b.culprit(path, message), nil)
			fault.Reason = unwritable(message.Descriptor().FullName())
			faults.List = append(faults.List, fault)
		}
	}

	if len(faults.List) > 0 {
		return faults
	}

	return nil
}

func (b *Binding) isWritable(m protoreflect.Message) bool {
	_, err := b.config.Codec.Append(nil, m.Interface(), b.hasMask)

	return err == nil
}

// within is the message that a path leads to.
func within(m protoreflect.Message, path schema.FieldPath) protoreflect.Message {
	for _, field := range path {
		m = m.Get(field).Message()
	}

	return m
}

// culprit is the field of a message that alone makes it one that cannot be written, or else the first that is set, if there is one.
func (b *Binding) culprit(path schema.FieldPath, message protoreflect.Message) []*validate.FieldPathElement {
	var elements []*validate.FieldPathElement
	for _, field := range path {
		elements = append(elements, element(field))
	}

	var first protoreflect.FieldDescriptor

	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !message.Has(field) {
			continue
		}

		alone := message.New()
		alone.Set(field, message.Get(field))

		if !b.isWritable(alone) {
			return append(elements, element(field))
		}

		if first == nil {
			first = field
		}
	}

	if first != nil {
		elements = append(elements, element(first))
	}

	return elements
}

// unwritable says why JSON has no form for a message.
func unwritable(name protoreflect.FullName) string {
	switch protojson.FormOf(name) {
	case protojson.FormTimestamp, protojson.FormDuration:
		return "is out of range for a " + string(name)
	case protojson.FormValue:
		return "is nothing that a " + string(name) + " can be: null, a finite number, a string, a boolean, an object or a list"
	case protojson.FormAny:
		return "is no message of a type that this gateway knows"
	case protojson.FormFieldMask:
		return "is not a path of fields"
	default:
		return "has no form in JSON"
	}
}
