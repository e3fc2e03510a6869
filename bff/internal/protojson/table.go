package protojson

import (
	"cmp"
	"reflect"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"
)

// tables are those of all message types, compiled when they are first used. They are safe for concurrent use.
type tables struct {
	protoNames, emitDefaults bool

	// known has a *message for each protoreflect.MessageDescriptor, with all messages that it refers to.
	known sync.Map
	mu    sync.Mutex
}

// message describes a message type. It is immutable once it is complete.
type message struct {
	desc protoreflect.MessageDescriptor
	// linked is the type that is linked into the program, or a dynamic one.
	linked protoreflect.MessageType
	// goType is the type of the generated struct.
	goType reflect.Type
	form   Form
	// fields are in the order of the proto, which is that of JSON, followed by the extensions, by name.
	fields []field
	// byName has the fields by the names that documents may use: the JSON name and that of the proto.
	byName map[string]*field
	// dense has the index in fields, plus one, of those with a low number, by number; sparse the index of the others.
	dense  []uint16
	sparse map[protowire.Number]int
	// required is how many fields are required.
	required int
	// unset is what is written for each field that is unset; may be empty. Nil: nothing is for any of them.
	unset []string
	// size is about how many bytes an empty message takes.
	size int64
}

// field describes a field.
type field struct {
	kind

	list, isMap bool
	// presence reports whether a zero value is written if it is set.
	presence, required bool
	// null reports whether null is a value of the field rather than its absence.
	null bool
	// types has a bit for each type that a record of the field may have in the protobuf encoding.
	types uint8
	// index is that in the fields of the message that owns it.
	index int
	// oneof is the number of fields of the message plus the index of the oneof that the field belongs to. Zero: none.
	oneof int
	// before is what is written before the value: a comma, the name and a colon.
	before string
	// message is the type of the field or, if it is a list, of its elements. Nil: scalars, or a map.
	message *message
	// key and value are those of a map's entries.
	key, value *field
	// names are the quoted names of an enum by number, numbers the reverse.
	names   map[protoreflect.EnumNumber]string
	numbers map[string]protoreflect.EnumNumber
	// name is the one in JSON.
	name string
	// member is how a member usually begins: the JSON name in quotes, and a colon. Empty: it is another field's.
	member string
	// tag precedes each value in the protobuf encoding, end follows it if it is a group. The values of a list that can be packed
	// have none but share packed.
	tag, end, packed string
	// cost is how many bytes a value takes besides its content, elementCost how many each element or entry does.
	cost, elementCost int64
	place             place
	owner             *message
	desc              protoreflect.FieldDescriptor
}

// of returns the table of a type.
func (t *tables) of(desc protoreflect.MessageDescriptor) *message {
	if known, ok := t.known.Load(desc); ok {
		return known.(*message) //nolint:forcetypeassert // Nothing else is stored.
	}

	t.mu.Lock()
	defer t.mu.Unlock()

	fresh := map[protoreflect.MessageDescriptor]*message{}
	m := t.compile(desc, fresh)
	for desc, m := range fresh {
		t.known.Store(desc, m)
	}

	return m
}

// compile makes the table of a type and those of all messages in it, which may contain one another.
func (t *tables) compile(desc protoreflect.MessageDescriptor, fresh map[protoreflect.MessageDescriptor]*message) *message {
	if known, ok := t.known.Load(desc); ok {
		return known.(*message) //nolint:forcetypeassert // Nothing else is stored.
	}

	if known, ok := fresh[desc]; ok {
		return known
	}

	m := &message{desc: desc, linked: linkedType(desc), form: FormOf(desc.FullName()), byName: map[string]*field{}}
	m.goType = reflect.Indirect(reflect.ValueOf(m.linked.New().Interface())).Type()
	m.size = sizeOf(m.goType)
	fresh[desc] = m

	descs := fieldsOf(desc)
	m.fields = make([]field, len(descs))
	for i := range m.fields {
		f := &m.fields[i]
		*f = t.field(descs[i], fresh)
		f.owner, f.index = m, i

		if oneof := f.desc.ContainingOneof(); oneof != nil && !oneof.IsSynthetic() {
			f.oneof = len(descs) + oneof.Index()
		}

		f.setCosts()
		m.index(f.desc.Number(), i)
		// The name of a group is that of its type.
		m.byName[f.desc.TextName()] = f

		if f.required {
			m.required++
		}

		if t.emitDefaults && !f.presence && f.desc.ContainingOneof() == nil && !f.desc.IsExtension() {
			m.unset = append(m.unset, make([]string, len(descs)-len(m.unset))...)
			m.unset[i] = f.before + f.zero()
		}
	}

	// A JSON name that is another field's proto name is the JSON name.
	for i := range m.fields {
		m.byName[m.fields[i].name] = &m.fields[i]
	}

	for i := range m.fields {
		if f := &m.fields[i]; m.byName[f.name] != f {
			f.member = ""
		}
	}

	m.setPlaces()

	return m
}

// fieldsOf returns the fields of a message, followed by its extensions that are linked into the program, by name.
func fieldsOf(desc protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	fields := make([]protoreflect.FieldDescriptor, 0, desc.Fields().Len())
	for i := range desc.Fields().Len() {
		fields = append(fields, desc.Fields().Get(i))
	}

	if desc.ExtensionRanges().Len() == 0 {
		return fields
	}

	protoregistry.GlobalTypes.RangeExtensionsByMessage(desc.FullName(), func(extension protoreflect.ExtensionType) bool {
		if of := extension.TypeDescriptor(); desc.ExtensionRanges().Has(of.Number()) {
			fields = append(fields, of)
		}

		return true
	})

	slices.SortFunc(fields[desc.Fields().Len():], func(a, b protoreflect.FieldDescriptor) int {
		return cmp.Compare(a.FullName(), b.FullName())
	})

	return fields
}

func linkedType(desc protoreflect.MessageDescriptor) protoreflect.MessageType {
	if linked, err := protoregistry.GlobalTypes.FindMessageByName(desc.FullName()); err == nil && linked.Descriptor() == desc {
		return linked
	}

	return dynamicpb.NewMessageType(desc)
}

// index sets the index of the field with a number.
func (m *message) index(number protowire.Number, i int) {
	// It bounds the table by number.
	const maxDense = 1 << 9
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

// find returns the index of the field that a record with this tag is for. It is -1 if there is none, or if the type is not one of
// the field's, which makes it an unknown field.
func (m *message) find(tag uint64) int {
	number, i := tag>>typeBits, -1
	if number < uint64(len(m.dense)) {
		i = int(m.dense[number]) - 1
	} else if m.sparse != nil {
		if at, ok := m.sparse[protowire.Number(number)]; ok {
			i = at
		}
	}

	if i < 0 || !m.fields[i].accepts(tag) {
		return -1
	}

	return i
}

// typeBits is how many bits of a tag are the type.
const (
	typeBits = 3
	typeMask = 1<<typeBits - 1
)

func typeOfTag(tag uint64) protowire.Type { return protowire.Type(tag & typeMask) }

// accepts reports whether the type of a tag is one that the field can have.
func (f *field) accepts(tag uint64) bool { return f.types>>(tag&typeMask)&1 != 0 }

func (t *tables) field(desc protoreflect.FieldDescriptor, fresh map[protoreflect.MessageDescriptor]*message) field {
	f := field{
		kind: kindOf(desc.Kind()), desc: desc, name: desc.JSONName(), list: desc.IsList(), isMap: desc.IsMap(),
		presence: desc.HasPresence(), required: desc.Cardinality() == protoreflect.Required,
	}

	f.member = memberName(f.name)
	f.before = "," + f.member

	if t.protoNames {
		f.before = "," + memberName(desc.TextName())
	}

	f.setTags()

	switch {
	case f.isMap:
		key, value := t.field(desc.MapKey(), fresh), t.field(desc.MapValue(), fresh)
		f.key, f.value = &key, &value
	case desc.Message() != nil:
		f.message = t.compile(desc.Message(), fresh)
		f.null = desc.Message().FullName() == "google.protobuf.Value"
	case desc.Enum() != nil:
		f.setEnum(desc.Enum())
	}

	return f
}

// memberName returns a name in quotes, and a colon.
func memberName(name string) string {
	quoted, _ := appendString(nil, []byte(name))
	return string(quoted) + ":"
}

// nullValue is the enum whose value is written as null.
const nullValue = "google.protobuf.NullValue"

func (f *field) setEnum(desc protoreflect.EnumDescriptor) {
	f.null = desc.FullName() == nullValue
	f.numbers, f.names = map[string]protoreflect.EnumNumber{}, map[protoreflect.EnumNumber]string{}

	// Of two names for a number the first is written.
	for i := desc.Values().Len() - 1; i >= 0; i-- {
		value := desc.Values().Get(i)
		f.numbers[string(value.Name())] = value.Number()
		f.names[value.Number()] = `"` + string(value.Name()) + `"`
	}
}

// setTags sets what surrounds a value in the protobuf encoding.
func (f *field) setTags() {
	number := f.desc.Number()
	f.tag = string(protowire.AppendTag(nil, number, f.wire))
	f.types = 1 << f.wire

	switch {
	case f.wire == protowire.StartGroupType:
		f.end = string(protowire.AppendTag(nil, number, protowire.EndGroupType))
	case f.list && f.wire != protowire.BytesType:
		// It may be packed, whatever the proto says.
		f.tag, f.packed = "", string(protowire.AppendTag(nil, number, protowire.BytesType))
		f.types |= 1 << protowire.BytesType
	}
}

// zero is how a field without presence is written when it is unset.
func (f *field) zero() string {
	switch {
	case f.list:
		return "[]"
	case f.isMap:
		return "{}"
	default:
		zero, _ := f.appendScalar(nil, scalar{})
		return string(zero)
	}
}
