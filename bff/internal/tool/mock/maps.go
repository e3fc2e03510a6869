package mock

import (
	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// pair is an entry of a map of strings.
type pair struct{ key, value string }

// usualPairs are what maps of strings have, by the end of the field's name.
func usualPairs(name string) []pair {
	switch {
	case endsIn(name, "attributes", "options", "properties", "variant"):
		return []pair{{"color", "teal"}, {"size", "M"}, {"material", "linen"}, {"finish", "matte"}, {"origin", "PT"}}
	case endsIn(name, "preferences", "settings", "config"):
		return []pair{{"theme", "dark"}, {"newsletter", "weekly"}, {"units", "metric"}, {"start_page", "orders"}}
	case endsIn(name, "data", "metadata", "context", "parameters"):
		return []pair{{"source", "app"}, {"campaign", "spring"}, {"channel", emailWord}, {"priority", "normal"}}
	default:
		return []pair{{"source", "web"}, {"tier", "gold"}, {"team", "north"}, {"gift", "true"}, {"channel", "app"}}
	}
}

// pairs adds one to three entries, or as many as the rules want.
func (m *maker) pairs(into protoreflect.Map, field protoreflect.FieldDescriptor, of *validate.FieldRules, a about, sc scope) {
	const usual = 3

	r := typed(of)
	least, most := r.size("min_pairs", 0), r.size("max_pairs", maxSize)
	n := min(max(a.seed.of("length").rand().IntN(usual)+1, min(least, maxElements)), most)
	known := usualPairs(a.name)
	first := a.seed.of("first").rand().IntN(len(known))

	key, value := of.GetMap().GetKeys(), of.GetMap().GetValues()
	// A map of booleans has two at most.
	for i := 0; i < (n+1)*draws && into.Len() < n; i++ {
		usually := known[(first+i)%len(known)]
		k := m.key(field.MapKey(), key, usually.key, a, a.seed.of("key").at(i), i < len(known))

		if into.Has(k) {
			continue
		}

		item := a
		item.seed, item.name = a.seed.of("value").at(i), singular(a.name)

		switch {
		case field.MapValue().Message() != nil:
			inside := sc.inside(a.of, a.name)
			inside.seed = inside.seed.at(i)
			v := into.NewValue()
			m.message(v.Message(), value, item, inside)
			into.Set(k, v)
		case field.MapKey().Kind() == protoreflect.StringKind && field.MapValue().Kind() == protoreflect.StringKind &&
			k.String() == usually.key && !typed(value).any():
			into.Set(k, protoreflect.ValueOfString(usually.value))
		default:
			into.Set(k, m.scalar(field.MapValue(), value, item, sc))
		}
	}
}

// key is a usual one where the rules say nothing else.
func (m *maker) key(
	field protoreflect.FieldDescriptor, of *validate.FieldRules, usual string, a about, s seed, first bool,
) protoreflect.MapKey {
	r := typed(of)
	if field.Kind() == protoreflect.StringKind && first && !r.any() {
		return protoreflect.ValueOfString(usual).MapKey()
	}

	a.seed, a.name = s, "key"

	return m.scalar(field, of, a, scope{}).MapKey()
}

// any tells whether there is a rule.
func (r rules) any() bool { return r.message != nil }
