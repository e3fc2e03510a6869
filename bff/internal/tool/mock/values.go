package mock

import (
	"math"
	"net"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// set sets a field, whatever its form.
func (m *maker) set(msg protoreflect.Message, field protoreflect.FieldDescriptor, a about, sc scope) {
	of := rulesOf(field)

	switch {
	case field.IsList():
		m.list(msg.Mutable(field).List(), field, of, a, sc)
	case field.IsMap():
		m.pairs(msg.Mutable(field).Map(), field, of, a, sc)
	case field.Message() != nil:
		into := msg.NewField(field)
		m.message(into.Message(), of, a, sc.inside(msg.Descriptor(), a.name))
		msg.Set(field, into)
	default:
		msg.Set(field, m.scalar(field, of, a, sc))
	}
}

// list adds one to three items, or as many as the rules want.
func (m *maker) list(list protoreflect.List, field protoreflect.FieldDescriptor, of *validate.FieldRules, a about, sc scope) {
	const usual = 3

	r := typed(of)
	least, most := r.size("min_items", 0), r.size("max_items", maxSize)
	n := min(max(a.seed.of("length").rand().IntN(usual)+1, min(least, maxElements)), most)
	a.name = singular(a.name)
	within, unique, seen := sc.inside(a.of, a.name), of.GetRepeated().GetUnique() || field.Message() == nil, map[any]bool{}

	for i := 0; i < n*draws && list.Len() < n; i++ {
		item := a
		item.seed = a.seed.at(i)

		element := list.NewElement()

		if field.Message() != nil {
			inside := within
			inside.seed = within.seed.at(i)
			m.message(element.Message(), of.GetRepeated().GetItems(), item, inside)
		} else {
			element = m.scalar(field, of.GetRepeated().GetItems(), item, sc)
		}

		if unique {
			key := comparison(element)
			if seen[key] {
				continue
			}

			seen[key] = true
		}

		list.Append(element)
	}
}

// comparison is equal for equal values.
func comparison(value protoreflect.Value) any {
	switch v := value.Interface().(type) {
	case protoreflect.Message:
		text, _ := proto.MarshalOptions{Deterministic: true, AllowPartial: true}.Marshal(v.Interface())

		return string(text)
	case []byte:
		return string(v)
	default:
		return v
	}
}

// message fills one that a field holds.
func (m *maker) message(msg protoreflect.Message, of *validate.FieldRules, a about, sc scope) {
	m.messages++

	if !m.wellKnown(msg, of, a, sc) {
		m.fill(msg, sc)
	}
}

// scalar is a value of a field that holds no message.
func (m *maker) scalar(field protoreflect.FieldDescriptor, of *validate.FieldRules, a about, sc scope) protoreflect.Value {
	r := typed(of)
	if decided, ok := r.given(a.seed); ok && field.Kind() != protoreflect.EnumKind {
		return decided
	}

	switch field.Kind() {
	case protoreflect.BoolKind:
		bad := endsIn(a.name, "deleted", "disabled", "suspended", "blocked", "archived")

		return protoreflect.ValueOfBool(!bad && a.seed.chance(50))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(m.choice(field.Enum(), r, a, sc))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(m.text(a, r))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(m.raw(a, r))
	case protoreflect.FloatKind:
		return m.real(a.name, r, a.seed, bits32)
	case protoreflect.DoubleKind:
		return m.real(a.name, r, a.seed, bits64)
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return m.counted(a, r, sc, bits64)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return m.unsigned(a.name, r, a.seed, bits64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return m.unsigned(a.name, r, a.seed, bits32)
	default:
		return m.counted(a, r, sc, bits32)
	}
}

// counted is a whole number, which may count what is around it: the items of a list, or the messages of a stream.
func (m *maker) counted(a about, r rules, sc scope, bits int) protoreflect.Value {
	n := int64(-1)

	switch {
	case sc.total > 0 && endsIn(a.name, "total_size", "total_count", "total", "total_items"):
		n = int64(sc.total)
	case sc.total > 0 && endsIn(a.name, "count"):
		n = a.seed.rand().Int64N(int64(sc.total) + 1)
	case sc.step > 0 && endsIn(a.name, "sequence", "index", "position", "number", "offset"):
		// At the end of what can be counted, it stays there.
		n = int64(sc.step) + min(m.asked.after(a.name), math.MaxInt64-int64(sc.step))
	}

	switch {
	case n < 0:
		return m.signed(a.name, r, a.seed, bits)
	case bits == bits32:
		return protoreflect.ValueOfInt32(int32(min(n, math.MaxInt32)))
	default:
		return protoreflect.ValueOfInt64(n)
	}
}

// raw are bytes.
func (m *maker) raw(a about, r rules) []byte {
	const usual = 16

	if pattern := r.text("pattern"); pattern != "" {
		return []byte(matching(pattern, a))
	}

	least, most := r.size("min_len", 0), r.size("max_len", maxSize)
	if n := r.size("len", -1); n >= 0 {
		least, most = n, n
	}

	n := min(max(usual, least), most)

	for form, size := range map[protoreflect.Name]int{
		"ip": net.IPv4len, "ipv4": net.IPv4len, "ipv6": net.IPv6len, uuidWord: usual,
	} {
		if v, ok := r.get(form); ok && v.Bool() {
			n = size
		}
	}

	raw := make([]byte, n)
	for i, random := 0, a.seed.rand(); i < n; i++ {
		raw[i] = byte(random.Uint32())
	}

	if prefix, ok := r.get("prefix"); ok {
		raw = append(prefix.Bytes(), raw[:max(0, min(n, most-len(prefix.Bytes())))]...)
	}

	for _, part := range []protoreflect.Name{"contains", "suffix"} {
		if end, ok := r.get(part); ok {
			raw = append(raw[:max(0, min(len(raw), most-len(end.Bytes())))], end.Bytes()...)
		}
	}

	return raw
}

func isDeprecated(field protoreflect.FieldDescriptor) bool {
	options, ok := field.Options().(*descriptorpb.FieldOptions)

	return ok && options.GetDeprecated()
}
