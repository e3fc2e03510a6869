package mock

import (
	"slices"
	"strings"
	"unicode"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// choice is a value of an enum, not the unspecified one. It is what the method did, if there is a value for it: CANCELLED of
// CancelOrder. In a stream it goes on from value to value.
func (m *maker) choice(enum protoreflect.EnumDescriptor, r rules, v value, sc scope) protoreflect.EnumNumber {
	if decided, ok := r.get("const"); ok {
		return protoreflect.EnumNumber(decided.Int())
	}

	values := usable(enum, r)

	switch {
	case len(values) == 0:
		return enum.Values().Get(0).Number()
	case sc.step > 0:
		return stepped(values, v.name, sc.step)
	case len(sc.within) == 0:
		if done := slices.IndexFunc(values, m.asked.did); done >= 0 {
			return values[done].Number()
		}

		if len(m.asked.verbs) > 0 && m.asked.verbs[0] == "CREATE" && endsIn(v.name, "status", "state") {
			return values[0].Number()
		}
	}

	return one(v.seed, values).Number()
}

// stepped is the value of a step from 1: one after the other, and for the state before it the one before, if there was one.
func stepped(values []protoreflect.EnumValueDescriptor, name string, step int) protoreflect.EnumNumber {
	at := step - 1
	if word, _, _ := strings.Cut(name, "_"); word == "previous" || word == "old" || word == "from" {
		at--
	}

	if at < 0 {
		return 0
	}

	return values[at%len(values)].Number()
}

// usable are the values that are not the unspecified one and that the rules let through.
func usable(enum protoreflect.EnumDescriptor, r rules) []protoreflect.EnumValueDescriptor {
	var values []protoreflect.EnumValueDescriptor

	in := append(r.list("in"), r.list("example")...)

	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		number := protoreflect.ValueOfInt32(int32(value.Number()))
		allowed := len(in) == 0 || slices.ContainsFunc(in, number.Equal)

		options, _ := value.Options().(*descriptorpb.EnumValueOptions)
		if value.Number() != 0 && allowed && !r.refuses(number) && !options.GetDeprecated() {
			values = append(values, value)
		}
	}

	return values
}

// verbsOf are the words of a method's name: "CancelOrder" has CANCEL and ORDER.
func verbsOf(method protoreflect.Name) []string {
	var words []string

	for i, r := range string(method) {
		if unicode.IsUpper(r) || i == 0 {
			words = append(words, "")
		}

		words[len(words)-1] += string(unicode.ToUpper(r))
	}

	return words
}

// did reports whether the value is what the method did: CANCELLED is of CancelOrder, PAID of MarkOrderPaid.
func (k asked) did(value protoreflect.EnumValueDescriptor) bool {
	const stem = 4

	prefix := strings.ToUpper(snake(value.Parent().Name())) + "_"
	name := strings.TrimPrefix(string(value.Name()), prefix)

	return slices.ContainsFunc(k.verbs, func(verb string) bool { return len(verb) >= stem && strings.HasPrefix(name, verb) })
}
