package mock

import (
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// rules are those of one type of value (buf.validate.StringRules, …), read by the names of their fields: most types have the same.
// Without rules, none is set.
type rules struct{ message protoreflect.Message }

// rulesOf are what a field says of itself, nil if nothing.
func rulesOf(field protoreflect.FieldDescriptor) *validate.FieldRules {
	found, err := protovalidate.ResolveFieldRules(field)
	if err != nil {
		// The validator will say the same, of every message.
		return nil
	}

	return found
}

// typed are the rules of the type of the field's values.
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

// list returns the values of a rule like "in".
func (r rules) list(name protoreflect.Name) []protoreflect.Value {
	found, ok := r.get(name)
	if !ok {
		return nil
	}

	values := make([]protoreflect.Value, 0, found.List().Len())
	for i := range found.List().Len() {
		values = append(values, found.List().Get(i))
	}

	return values
}

// text returns a rule that is a string, or "".
func (r rules) text(name protoreflect.Name) string {
	if found, ok := r.get(name); ok {
		return found.String()
	}

	return ""
}

// size returns a rule that is a count, or the other if there is none.
func (r rules) size(name protoreflect.Name, other int) int {
	if found, ok := r.get(name); ok {
		return int(min(found.Uint(), maxSize))
	}

	return other
}

// maxSize is above any size that is made.
const maxSize = 1 << 20

// given is the value that the rules decide: the one of "const", or one of "example" or "in".
func (r rules) given(s seed) (protoreflect.Value, bool) {
	if found, ok := r.get("const"); ok {
		return found, true
	}

	for _, name := range []protoreflect.Name{"example", "in"} {
		if values := r.list(name); len(values) > 0 {
			return one(s, values), true
		}
	}

	return protoreflect.Value{}, false
}

// refuses reports whether "not_in" has the value.
func (r rules) refuses(value protoreflect.Value) bool {
	for _, refused := range r.list("not_in") {
		if refused.Equal(value) {
			return true
		}
	}

	return false
}
