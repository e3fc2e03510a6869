package mock

import (
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// rules are those of one type of value (buf.validate.StringRules, …), read by the names of their fields: most types have the same.
type rules struct {
	// message is nil if there are none.
	message protoreflect.Message
}

// rulesOf returns the rules of a field, nil if it has none.
func rulesOf(field protoreflect.FieldDescriptor) *validate.FieldRules {
	// Rules that cannot be read are reported where they are enforced.
	found, err := protovalidate.ResolveFieldRules(field)
	if err != nil {
		return nil
	}

	return found
}

// typed returns the rules for the type of the field's values.
func typed(of *validate.FieldRules) rules {
	if of == nil {
		return rules{}
	}

	m := of.ProtoReflect()

	which := m.WhichOneof(m.Descriptor().Oneofs().ByName("type"))
	if which == nil {
		return rules{}
	}

	return rules{m.Get(which).Message()}
}

// get returns a rule that is set.
func (r rules) get(name protoreflect.Name) (protoreflect.Value, bool) {
	if r.message == nil {
		return protoreflect.Value{}, false
	}

	field := r.message.Descriptor().Fields().ByName(name)
	if field == nil || !r.message.Has(field) {
		return protoreflect.Value{}, false
	}

	return r.message.Get(field), true
}

// text returns a rule that is a string or bytes, or "".
func (r rules) text(name protoreflect.Name) string {
	found, _ := r.get(name)

	switch v := found.Interface().(type) {
	case string:
		return v
	case []byte:
		return string(v)
	default:
		return ""
	}
}

// maxSize is above any size that is made.
const maxSize = 1 << 20

// size returns a rule that is a count, or the other number if there is none.
func (r rules) size(name protoreflect.Name, other int) int {
	if found, ok := r.get(name); ok {
		return int(min(found.Uint(), maxSize))
	}

	return other
}

// given returns the value that the rules name: "const", or the n-th of "example" or "in".
func (r rules) given(n int) (protoreflect.Value, bool) {
	if found, ok := r.get("const"); ok {
		return found, true
	}

	for _, name := range []protoreflect.Name{"example", "in"} {
		if found, ok := r.get(name); ok {
			return found.List().Get(n % found.List().Len()), true
		}
	}

	return protoreflect.Value{}, false
}
