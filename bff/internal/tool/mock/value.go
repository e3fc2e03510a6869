package mock

import (
	"math"
	"net"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// value is what a value is made from.
type value struct {
	seed seed
	// name is the field's.
	name string
	// of is the message that the field is in.
	of protoreflect.MessageDescriptor
}

// set sets a field, whatever its form.
func (m *maker) set(msg protoreflect.Message, field protoreflect.FieldDescriptor, v value, sc scope) {
	of := rulesOf(field)

	switch {
	case field.IsList():
		m.list(msg.Mutable(field).List(), field, of, v, sc)
	case field.IsMap():
		m.entries(msg.Mutable(field).Map(), field, of, v, sc)
	case field.Message() != nil:
		into := msg.NewField(field)
		m.message(into.Message(), of, v, sc.inside(v.of, v.name))
		msg.Set(field, into)
	default:
		msg.Set(field, m.scalar(field, of, v, sc))
	}
}

// length is one to three, or as many as the rules want.
func length(s seed, least, most int) int {
	return min(max(s.of("length").rand().IntN(3)+1, min(least, maxElements)), most)
}

// list adds elements. Elements that are no messages are not repeated.
func (m *maker) list(list protoreflect.List, field protoreflect.FieldDescriptor, of *validate.FieldRules, v value, sc scope) {
	r := typed(of)
	n := length(v.seed, r.size("min_items", 0), r.size("max_items", maxSize))
	unique, seen := of.GetRepeated().GetUnique() || field.Message() == nil, map[any]bool{}

	for i := 0; i < n*draws && list.Len() < n; i++ {
		item := v
		item.seed = v.seed.at(i)

		element := list.NewElement()

		if field.Message() != nil {
			inside := sc.inside(v.of, v.name)
			inside.seed = inside.seed.at(i)
			m.message(element.Message(), of.GetRepeated().GetItems(), item, inside)
		} else {
			element = m.scalar(field, of.GetRepeated().GetItems(), item, sc)
		}

		if key := keyOf(element); !unique || !seen[key] {
			seen[key] = true

			list.Append(element)
		}
	}
}

// keyOf is equal for equal values.
func keyOf(value protoreflect.Value) any {
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

// entries adds entries to a map.
func (m *maker) entries(into protoreflect.Map, field protoreflect.FieldDescriptor, of *validate.FieldRules, v value, sc scope) {
	r := typed(of)
	n := length(v.seed, r.size("min_pairs", 0), r.size("max_pairs", maxSize))

	// A map of booleans has two at most.
	for i := 0; i < (n+1)*draws && into.Len() < n; i++ {
		item := value{seed: v.seed.of("key").at(i), name: "key", of: v.of}

		key := m.scalar(field.MapKey(), of.GetMap().GetKeys(), item, scope{}).MapKey()
		if into.Has(key) {
			continue
		}

		item.seed, item.name = v.seed.of("value").at(i), v.name

		if field.MapValue().Message() == nil {
			into.Set(key, m.scalar(field.MapValue(), of.GetMap().GetValues(), item, sc))

			continue
		}

		inside := sc.inside(v.of, v.name)
		inside.seed = inside.seed.at(i)
		element := into.NewValue()
		m.message(element.Message(), of.GetMap().GetValues(), item, inside)
		into.Set(key, element)
	}
}

// message fills one that a field holds.
func (m *maker) message(msg protoreflect.Message, of *validate.FieldRules, v value, sc scope) {
	m.messages++

	if !m.wellKnown(msg, of, v, sc) {
		m.fill(msg, sc)
	}
}

// scalar is a value of a field that holds no message.
func (m *maker) scalar(field protoreflect.FieldDescriptor, of *validate.FieldRules, v value, sc scope) protoreflect.Value {
	r := typed(of)
	if decided, ok := r.given(v.seed); ok && field.Kind() != protoreflect.EnumKind {
		return decided
	}

	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(v.seed.chance(50))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(m.choice(field.Enum(), r, v, sc))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text(v, r))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(raw(v, r))
	default:
		n, counts := m.count(v, sc)

		return number(field.Kind(), r, v.seed, n, counts)
	}
}

// count is what a number says about what is around it: how many items a list has, or which message of a stream it is.
func (m *maker) count(v value, sc scope) (int64, bool) {
	switch {
	case sc.total > 0 && endsIn(v.name, "total_size", "total_count", "total", "total_items"):
		return int64(sc.total), true
	case sc.step > 0 && endsIn(v.name, "sequence", "index", "position", "number", "offset"):
		// At the end of what can be counted, it stays there.
		return int64(sc.step) + min(m.asked.after(v.name), math.MaxInt64-int64(sc.step)), true
	default:
		return 0, false
	}
}

// raw are bytes.
func raw(v value, r rules) []byte {
	if pattern := r.text("pattern"); pattern != "" {
		return []byte(matching(pattern, v))
	}

	least, most := r.size("min_len", 0), r.size("max_len", maxSize)
	if n := r.size("len", -1); n >= 0 {
		least, most = n, n
	}

	n := min(max(net.IPv6len, least), most)

	if v4, ok := r.get("ipv4"); ok && v4.Bool() {
		n = net.IPv4len
	}

	if ip, ok := r.get("ip"); ok && ip.Bool() {
		n = net.IPv4len
	}

	made := make([]byte, n)
	for i, random := 0, v.seed.rand(); i < n; i++ {
		made[i] = byte(random.Uint32())
	}

	if prefix, ok := r.get("prefix"); ok {
		made = append(prefix.Bytes(), made[:max(0, min(n, most-len(prefix.Bytes())))]...)
	}

	for _, part := range []protoreflect.Name{"contains", "suffix"} {
		if end, ok := r.get(part); ok {
			made = append(made[:max(0, min(len(made), most-len(end.Bytes())))], end.Bytes()...)
		}
	}

	return made
}
