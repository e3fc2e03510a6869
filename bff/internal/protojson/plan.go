package protojson

import (
	"strconv"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// plans are what is known about message types, made when they are first met. It is safe for concurrent use.
type plans struct {
	known sync.Map // protoreflect.MessageDescriptor to *plan, complete with all that they refer to.
	// others are fields that no plan has: extensions, and the values of maps as fields of their own.
	others sync.Map // protoreflect.FieldDescriptor to *field.
	mu     sync.Mutex
	// layouts are those of structs by reflect.Type, nil for what is none.
	layouts sync.Map
}

// plan is what is known about a message type. It is immutable.
type plan struct {
	desc protoreflect.MessageDescriptor
	form Form
	// fields by the names that JSON may use: that of JSON and that of the proto.
	fields map[string]*field
	// all are the fields in the order of the proto.
	all []*field
	// size is about how many bytes a new message takes, without what is in it.
	size int64
}

// field is what is known about a field.
type field struct {
	desc protoreflect.FieldDescriptor
	kind protoreflect.Kind
	name string // In JSON.
	// member is how a member of this name usually begins: the name in quotes, and a colon. Empty: it has to be looked up.
	member string
	// index is the place among the message's fields.
	index int
	list  bool
	// id is what no two fields of the message have in common, below zero that of an extension. oneof is the same for those of a
	// oneof. Zero: of none.
	id, oneof int
	// tag stands before each value on the wire, end behind it if it is a group. Those of a packed list have none but share the
	// list's.
	tag, end, packed string
	// message is the plan of what the field or, if it is a list, its elements hold. Nil: scalars, or a map.
	message *plan
	// key and value are those of a map's entries.
	key, value *field
	// enum are the numbers by name.
	enum map[string]protoreflect.EnumNumber
	// enumNames are their names.
	enumNames []string
	// cost in bytes is what a value takes besides its content, elementCost what each element or entry does.
	cost, elementCost int64
	// null tells that null is a value of the field rather than its absence.
	null bool
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
		return p.other(desc)
	}

	return p.of(desc.ContainingMessage()).all[desc.Index()]
}

// other is what is known about an extension or the value of a map.
func (p *plans) other(desc protoreflect.FieldDescriptor) *field {
	if known, ok := p.others.Load(desc); ok {
		return known.(*field) //nolint:forcetypeassert // Nothing else is stored.
	}

	p.mu.Lock()
	defer p.mu.Unlock()

	fresh := map[protoreflect.MessageDescriptor]*plan{}
	made := p.field(desc, fresh)
	p.publish(fresh)
	p.others.Store(desc, made)

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

	made := &plan{desc: desc, form: FormOf(desc.FullName()), fields: map[string]*field{}, size: sizeOf(desc)}
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

	for _, f := range made.all {
		if quoted := `"` + f.name + `"`; strconv.Quote(f.name) == quoted && made.fields[f.name] == f {
			f.member = quoted + ":"
		}
	}

	return made
}

func (p *plans) field(desc protoreflect.FieldDescriptor, fresh map[protoreflect.MessageDescriptor]*plan) *field {
	f := &field{desc: desc, kind: desc.Kind(), name: desc.JSONName(), index: desc.Index(), list: desc.IsList(), id: desc.Index()}
	f.setTags()

	if desc.IsExtension() {
		// Not one that a field of the message has.
		f.name, f.id = "["+string(desc.FullName())+"]", -int(desc.Number())
	}

	if oneof := desc.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
		f.oneof = desc.ContainingMessage().Fields().Len() + oneof.Index()
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

	f.setCosts()

	return f
}

// names are the fields' names in JSON.
func (p *plan) names() []string {
	names := make([]string, len(p.all))
	for i, f := range p.all {
		names[i] = f.name
	}

	return names
}

// setTags sets what stands around a value on the wire.
func (f *field) setTags() {
	number, kind := f.desc.Number(), protowire.BytesType

	switch f.kind {
	case protoreflect.GroupKind:
		kind = protowire.StartGroupType
		f.end = string(protowire.AppendTag(nil, number, protowire.EndGroupType))
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		kind = protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		kind = protowire.Fixed64Type
	default:
		kind = protowire.VarintType
	}

	f.tag = string(protowire.AppendTag(nil, number, kind))

	// A list may be packed, whatever the proto says.
	if f.desc.IsList() && kind != protowire.BytesType && kind != protowire.StartGroupType {
		f.tag, f.packed = "", string(protowire.AppendTag(nil, number, protowire.BytesType))
	}
}
