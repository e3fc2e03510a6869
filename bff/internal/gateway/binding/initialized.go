package binding

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Initialized checks that all required fields of proto2, or of editions with LEGACY_REQUIRED, are set, without which a message
// cannot be encoded. The error is Faults, MaxFaults at most.
func (b *Binding) Initialized(m proto.Message) error {
	// It knows in no time of messages that cannot have such fields.
	if proto.CheckInitialized(m) == nil {
		return nil
	}

	found := missing{binding: b}
	found.in(m.ProtoReflect())

	return found.faults
}

// missing collects the required fields that are not set.
type missing struct {
	binding *Binding
	faults  Faults
	// path leads to the message that is looked at.
	path []*validate.FieldPathElement
}

// in looks into a message. It reports whether there is room for more faults.
func (f *missing) in(m protoreflect.Message) bool {
	numbers := m.Descriptor().RequiredNumbers()

	for i := range numbers.Len() {
		if field := m.Descriptor().Fields().ByNumber(numbers.Get(i)); !m.Has(field) && !f.add(field) {
			return false
		}
	}

	more := true

	// Range has no order.
	fields := map[protoreflect.FieldNumber]protoreflect.FieldDescriptor{}

	m.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		if field.IsMap() && field.MapValue().Message() != nil || !field.IsMap() && field.Message() != nil {
			fields[field.Number()] = field
		}

		return true
	})

	for _, number := range slices.Sorted(maps.Keys(fields)) {
		if more = f.within(fields[number], m.Get(fields[number])); !more {
			break
		}
	}

	return more
}

// add notes a field of the message that is looked at.
func (f *missing) add(field protoreflect.FieldDescriptor) bool {
	if len(f.faults.List) == MaxFaults {
		f.faults.More = true

		return false
	}

	fault := f.binding.place(append(slices.Clip(f.path), element(field)), nil)
	fault.Reason = "is required"
	f.faults.List = append(f.faults.List, fault)

	return true
}

// within looks into the messages that a field holds.
func (f *missing) within(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
	switch {
	case field.IsList():
		for i := range value.List().Len() {
			at := element(field)
			at.SetIndex(uint64(i))

			if !f.at(at, value.List().Get(i).Message()) {
				return false
			}
		}

		return true
	case field.IsMap():
		for _, key := range sortedKeys(value.Map()) {
			at := element(field)
			setKey(at, key)

			if !f.at(at, value.Map().Get(key).Message()) {
				return false
			}
		}

		return true
	default:
		return f.at(element(field), value.Message())
	}
}

// sortedKeys are the keys of a map, which has no order.
func sortedKeys(m protoreflect.Map) []protoreflect.MapKey {
	keys := make([]protoreflect.MapKey, 0, m.Len())

	m.Range(func(key protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, key)

		return true
	})

	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int {
		switch x := a.Interface().(type) {
		case string:
			return strings.Compare(x, b.String())
		case int32, int64:
			return cmp.Compare(a.Int(), b.Int())
		case uint32, uint64:
			return cmp.Compare(a.Uint(), b.Uint())
		default:
			return cmp.Compare(a.String(), b.String())
		}
	})

	return keys
}

func (f *missing) at(element *validate.FieldPathElement, m protoreflect.Message) bool {
	f.path = append(f.path, element)
	more := f.in(m)
	f.path = f.path[:len(f.path)-1]

	return more
}

// element is a field in a path.
func element(field protoreflect.FieldDescriptor) *validate.FieldPathElement {
	number, name := int32(field.Number()), string(field.Name())
	if field.IsExtension() {
		name = "[" + string(field.FullName()) + "]"
	}

	return validate.FieldPathElement_builder{FieldNumber: &number, FieldName: &name}.Build()
}

func setKey(at *validate.FieldPathElement, key protoreflect.MapKey) {
	switch key := key.Interface().(type) {
	case bool:
		at.SetBoolKey(key)
	case int32:
		at.SetIntKey(int64(key))
	case int64:
		at.SetIntKey(key)
	case uint32:
		at.SetUintKey(uint64(key))
	case uint64:
		at.SetUintKey(key)
	case string:
		at.SetStringKey(key)
	}
}
