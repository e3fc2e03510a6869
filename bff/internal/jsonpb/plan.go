package jsonpb

import (
	"reflect"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plans are what is known about message types, made when they are first met. It is safe for concurrent use.
type plans struct {
	known sync.Map // protoreflect.MessageDescriptor to *plan, complete with all that they refer to.
	mu    sync.Mutex
}

// plan is what is known about a message type. It is immutable but for its size.
type plan struct {
	desc protoreflect.MessageDescriptor
	form form
	// fields by the names that JSON may use: that of JSON and that of the proto.
	fields map[string]*field
	// all are the fields in the order of the proto.
	all []*field
	// size of a message in bytes, as far as it is known.
	size atomic.Int64
}

// form tells which JSON a message has.
type form uint8

const (
	formObject form = iota
	formAny
	formTimestamp
	formDuration
	formWrapper
	formStruct
	formList
	formValue
	formFieldMask
)

// field is what is known about a field.
type field struct {
	desc protoreflect.FieldDescriptor
	name string // In JSON.
	// message is the plan of what the field or, if it is a list, its elements hold. Nil: scalars, or a map.
	message *plan
	// key and value are those of a map's entries.
	key, value *field
	// enum are the numbers by name.
	enum map[string]protoreflect.EnumNumber
	// enumNames are their names.
	enumNames []string
	// null tells that null is a value of the field rather than its absence.
	null bool
	// oneof is one more than the index of the oneof that the field belongs to. Zero: none.
	oneof int
}

func (p *plans) of(desc protoreflect.MessageDescriptor) *plan {
	if known, ok := p.known.Load(desc); ok {
		return known.(*plan) //nolint:forcetypeassert // Nothing else is stored.
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	fresh := map[protoreflect.MessageDescriptor]*plan{}
	made := p.make(desc, fresh)

	p.publish(fresh)

	return made
}

// fieldOf is what is known about a field of a message or the value of a map.
func (p *plans) fieldOf(desc protoreflect.FieldDescriptor) *field {
	if entry := desc.ContainingMessage(); entry.IsMapEntry() {
		// The map itself is a field of the message that the entry is declared in.
		return p.extension(desc)
	}

	return p.of(desc.ContainingMessage()).all[desc.Index()]
}

// extension makes the plan of an extension field.
func (p *plans) extension(desc protoreflect.FieldDescriptor) *field {
	p.mu.Lock()
	defer p.mu.Unlock()

	fresh := map[protoreflect.MessageDescriptor]*plan{}
	made := p.field(desc, fresh)
	p.publish(fresh)

	return made
}

func (p *plans) publish(fresh map[protoreflect.MessageDescriptor]*plan) {
	for desc, plan := range fresh {
		p.known.Store(desc, plan)
	}
}

// make makes a plan and those of all messages in it, which may contain one another.
func (p *plans) make(desc protoreflect.MessageDescriptor, fresh map[protoreflect.MessageDescriptor]*plan) *plan {
	if known, ok := p.known.Load(desc); ok {
		return known.(*plan) //nolint:forcetypeassert // Nothing else is stored.
	}

	if known, ok := fresh[desc]; ok {
		return known
	}

	made := &plan{desc: desc, form: formOf(desc.FullName()), fields: map[string]*field{}}
	fresh[desc] = made

	for i := range desc.Fields().Len() {
		f := p.field(desc.Fields().Get(i), fresh)
		made.all = append(made.all, f)
		// The name of a group is that of its type.
		made.fields[f.desc.TextName()] = f
	}

	// A JSON name that is another field's proto name is the JSON name.
	for _, f := range made.all {
		made.fields[f.name] = f
	}

	return made
}

func (p *plans) field(desc protoreflect.FieldDescriptor, fresh map[protoreflect.MessageDescriptor]*plan) *field {
	f := &field{desc: desc, name: desc.JSONName()}
	if desc.IsExtension() {
		f.name = "[" + string(desc.FullName()) + "]"
	}

	if oneof := desc.ContainingOneof(); oneof != nil {
		f.oneof = oneof.Index() + 1
	}

	switch {
	case desc.IsMap():
		f.key, f.value = p.field(desc.MapKey(), fresh), p.field(desc.MapValue(), fresh)
	case desc.Message() != nil:
		f.message = p.make(desc.Message(), fresh)
		f.null = desc.Message().FullName() == "google.protobuf.Value"
	case desc.Enum() != nil:
		f.null = desc.Enum().FullName() == "google.protobuf.NullValue"
		f.enum = map[string]protoreflect.EnumNumber{}

		for i := range desc.Enum().Values().Len() {
			value := desc.Enum().Values().Get(i)
			f.enum[string(value.Name())] = value.Number()
			f.enumNames = append(f.enumNames, string(value.Name()))
		}
	}

	return f
}

func formOf(name protoreflect.FullName) form {
	switch name {
	case "google.protobuf.Any":
		return formAny
	case "google.protobuf.Timestamp":
		return formTimestamp
	case "google.protobuf.Duration":
		return formDuration
	case "google.protobuf.BoolValue", "google.protobuf.Int32Value", "google.protobuf.Int64Value", "google.protobuf.UInt32Value",
		"google.protobuf.UInt64Value", "google.protobuf.FloatValue", "google.protobuf.DoubleValue", "google.protobuf.StringValue",
		"google.protobuf.BytesValue":
		return formWrapper
	case "google.protobuf.Struct":
		return formStruct
	case "google.protobuf.ListValue":
		return formList
	case "google.protobuf.Value":
		return formValue
	case "google.protobuf.FieldMask":
		return formFieldMask
	default:
		return formObject
	}
}

// names are the fields' names in JSON.
func (p *plan) names() []string {
	names := make([]string, len(p.all))
	for i, f := range p.all {
		names[i] = f.name
	}

	return names
}

// sizeOf is how many bytes a new message takes, without what is in it.
func (p *plan) sizeOf(m proto.Message) int64 {
	if size := p.size.Load(); size != 0 {
		return size
	}

	size := int64(reflect.TypeOf(m).Elem().Size())
	p.size.Store(size)

	return size
}
