package protojson

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// wireMessage is what is known about a wireMessage type. It is immutable once it is complete.
type wireMessage struct {
	desc protoreflect.MessageDescriptor
	kind protoreflect.MessageType
	form Form
	// fields are in the order of the proto, which is that of JSON.
	fields []wireField
	// dense has one more than the index in fields of those with a low number, by number; sparse the index of the others.
	dense  []uint16
	sparse map[protowire.Number]int
	// required is how many fields are required.
	required int
	// defaults tells that there are fields that are written when they are unset.
	defaults bool
	// left tells that protojson has to write it.
	left bool
}

// maxDense bounds the table by number.
const maxDense = 1 << 9

type wireShape uint8

const (
	singular wireShape = iota
	list
	mapping
)

// wireField is what is known about a wireField.
type wireField struct {
	// name is what its value stands behind: a comma, the name and a colon. unset is all that is written when it is unset, empty if
	// nothing is.
	name, unset string
	// index is that in the fields of the wireMessage.
	index     int
	kind      protoreflect.Kind
	wireShape wireShape
	// wire is the type that a single value has in the encoding.
	wire protowire.Type
	// packable tells that a list may come with all values in one record.
	packable bool
	// presence tells that a zero value is written if it is there.
	presence bool
	required bool
	// oneof is one more than the index of the oneof that the wireField belongs to. Zero: none.
	oneof int
	// owner is the wireMessage that the wireField is of, wireMessage the type of what it holds.
	owner, wireMessage *wireMessage
	// enum are the quoted names by number. null tells that its only value is written as null.
	enum map[protoreflect.EnumNumber]string
	null bool
	// key and value are those of a map's entries.
	key, value *wireField
}

// wireMessage returns the table for a type.
func (w *Writer) wireMessage(desc protoreflect.MessageDescriptor) *wireMessage {
	if known, ok := w.known.Load(desc); ok {
		return known.(*wireMessage) //nolint:forcetypeassert // Nothing else is stored.
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	fresh := map[protoreflect.MessageDescriptor]*wireMessage{}
	made := w.compile(desc, fresh)

	for desc, m := range fresh {
		w.known.Store(desc, m)
	}

	return made
}

// compile makes a table and those of all messages in it, which may contain one another.
func (w *Writer) compile(desc protoreflect.MessageDescriptor, fresh map[protoreflect.MessageDescriptor]*wireMessage) *wireMessage {
	if known, ok := w.known.Load(desc); ok {
		return known.(*wireMessage) //nolint:forcetypeassert // Nothing else is stored.
	}

	if known, ok := fresh[desc]; ok {
		return known
	}

	m := &wireMessage{desc: desc, kind: typeOf(desc), form: FormOf(desc.FullName()), left: desc.ExtensionRanges().Len() > 0}
	fresh[desc] = m

	fields := desc.Fields()
	m.fields = make([]wireField, fields.Len())

	for i := range m.fields {
		m.fields[i] = w.wireField(fields.Get(i), fresh)
		m.fields[i].owner, m.fields[i].index = m, i
		m.index(fields.Get(i).Number(), i)

		m.defaults = m.defaults || m.fields[i].unset != ""
		if m.fields[i].required {
			m.required++
		}
	}

	return m
}

// typeOf is the type of messages that are linked into the program, or one that is made of the descriptor.
func typeOf(desc protoreflect.MessageDescriptor) protoreflect.MessageType {
	if linked, err := protoregistry.GlobalTypes.FindMessageByName(desc.FullName()); err == nil && linked.Descriptor() == desc {
		return linked
	}

	return dynamicpb.NewMessageType(desc)
}

func (m *wireMessage) index(number protowire.Number, i int) {
	if number >= maxDense {
		if m.sparse == nil {
			m.sparse = map[protowire.Number]int{}
		}

		m.sparse[number] = i

		return
	}

	for len(m.dense) <= int(number) {
		m.dense = append(m.dense, 0)
	}

	m.dense[number] = uint16(i + 1)
}

// find returns the index of the wireField that a record with this tag is for. It is -1 if there is none; also where the type is not
// that of the wireField, which is how an unknown wireField looks.
func (m *wireMessage) find(tag uint64) int {
	number, i := tag>>typeBits, -1

	if number < uint64(len(m.dense)) {
		i = int(m.dense[number]) - 1
	} else if m.sparse != nil {
		if at, ok := m.sparse[protowire.Number(number)]; ok {
			i = at
		}
	}

	if i < 0 || !m.fields[i].takes(tag) {
		return -1
	}

	return i
}

// typeBits are those of a tag that stand for the type.
const typeBits = 3

func typeOfTag(tag uint64) protowire.Type { return protowire.Type(tag & (1<<typeBits - 1)) }

// takes tells whether the type of a tag is one that the wireField can have.
func (f *wireField) takes(tag uint64) bool {
	typ := typeOfTag(tag)

	return typ == f.wire || f.packable && typ == protowire.BytesType
}

func (w *Writer) wireField(desc protoreflect.FieldDescriptor, fresh map[protoreflect.MessageDescriptor]*wireMessage) wireField {
	f := wireField{
		kind: desc.Kind(), wire: wireType(desc.Kind()), presence: desc.HasPresence(),
		required: desc.Cardinality() == protoreflect.Required,
	}

	name := desc.JSONName()
	if w.config.ProtoNames {
		// That of a group is that of its type.
		name = desc.TextName()
	}

	quoted, _ := appendString(nil, []byte(name))
	f.name = "," + string(quoted) + ":"

	if oneof := desc.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
		f.oneof = oneof.Index() + 1
	}

	switch {
	case desc.IsMap():
		f.wireShape = mapping
		key, value := w.wireField(desc.MapKey(), fresh), w.wireField(desc.MapValue(), fresh)
		f.key, f.value = &key, &value
	case desc.IsList():
		f.wireShape = list
		f.packable = f.wire != protowire.BytesType && f.wire != protowire.StartGroupType
	}

	switch {
	case desc.IsMap():
	case desc.Message() != nil:
		f.wireMessage = w.compile(desc.Message(), fresh)
	case desc.Enum() != nil:
		f.names(desc.Enum())
	}

	if w.config.EmitDefaults && !f.presence && desc.ContainingOneof() == nil {
		f.unset = f.name + f.zero()
	}

	return f
}

func (f *wireField) names(desc protoreflect.EnumDescriptor) {
	f.null = desc.FullName() == "google.protobuf.NullValue"
	f.enum = map[protoreflect.EnumNumber]string{}

	// Of two names for a number the first counts.
	for i := desc.Values().Len() - 1; i >= 0; i-- {
		value := desc.Values().Get(i)
		f.enum[value.Number()] = `"` + string(value.Name()) + `"`
	}
}

// zero is how a wireField without presence is written when it is unset.
func (f *wireField) zero() string {
	switch {
	case f.wireShape == list:
		return "[]"
	case f.wireShape == mapping:
		return "{}"
	case f.kind == protoreflect.StringKind || f.kind == protoreflect.BytesKind:
		return `""`
	default:
		return string(f.appendNumber(nil, 0))
	}
}

func wireType(kind protoreflect.Kind) protowire.Type {
	switch kind {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind:
		return protowire.BytesType
	case protoreflect.GroupKind:
		return protowire.StartGroupType
	default:
		return protowire.VarintType
	}
}
