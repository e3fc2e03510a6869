package mock

import (
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// wellKnown fills a message of a type that is known to everyone, and tells whether it is one.
func (m *maker) wellKnown(msg protoreflect.Message, of *validate.FieldRules, a about, sc scope) bool {
	md := msg.Descriptor()

	switch md.FullName() {
	case moment:
		m.timestamp(msg, a.name, typed(of), sc.window, a.seed)
	case "google.protobuf.Duration":
		howLong(msg, typed(of), a.seed)
	case anyType, fieldMask, "google.protobuf.Empty":
	case "google.protobuf.Struct":
		m.structure(msg, a)
	case "google.protobuf.Value":
		m.dynamic(msg, a)
	case "google.protobuf.ListValue":
		for i := range 2 {
			element := msg.Mutable(md.Fields().ByName("values")).List().AppendMutable()
			m.dynamic(element.Message(), about{seed: a.seed.at(i), name: singular(a.name)})
		}
	case httpBody:
		fillBody(msg, a.name, a.seed)
	default:
		return m.wrapper(msg, of, a, sc) || m.money(msg, a, sc)
	}

	return true
}

// wrapper fills google.protobuf.StringValue and its like; the rules are those of what it wraps.
func (m *maker) wrapper(msg protoreflect.Message, of *validate.FieldRules, a about, sc scope) bool {
	md := msg.Descriptor()
	if md.ParentFile().Path() != "google/protobuf/wrappers.proto" {
		return false
	}

	value := md.Fields().ByName("value")
	msg.Set(value, m.scalar(value, of, a, sc))

	return true
}

// structure is an object of a few members.
func (m *maker) structure(msg protoreflect.Message, a about) {
	fields := msg.Mutable(msg.Descriptor().Fields().ByName("fields")).Map()

	for i, pair := range usualPairs(a.name)[:2] {
		value := fields.NewValue()
		m.dynamic(value.Message(), about{seed: a.seed.at(i), name: pair.key})
		fields.Set(protoreflect.ValueOfString(pair.key).MapKey(), value)
	}
}

// dynamic is a text, a number or a boolean.
func (m *maker) dynamic(msg protoreflect.Message, a about) {
	const limit = 1000

	fields := msg.Descriptor().Fields()

	switch random := a.seed.rand(); random.IntN(3) {
	case 0:
		msg.Set(fields.ByName("number_value"), protoreflect.ValueOfFloat64(float64(random.IntN(limit))))
	case 1:
		msg.Set(fields.ByName("bool_value"), protoreflect.ValueOfBool(random.IntN(2) == 0))
	default:
		msg.Set(fields.ByName("string_value"), protoreflect.ValueOfString(words(a, " ")))
	}
}

// money fills what has the shape of google.type.Money, in whole cents.
func (m *maker) money(msg protoreflect.Message, a about, sc scope) bool {
	const cents, nanosPerCent, part = 100, 10_000_000, 10

	if !isMoney(msg.Descriptor()) {
		return false
	}

	random, usual := a.seed.rand(), m.usual("price")
	whole := usual.from + random.Int64N(usual.to-usual.from)

	// What is given back is a part of what was paid.
	if strings.Contains(a.name, "refund") || a.of != nil && endsIn(snake(a.of.Name()), "refund", "discount", "tip", "fee") {
		whole /= part
	}

	if sc.currency == "" {
		sc.currency = one(a.seed, currencies())
	}

	msg.Set(msg.Descriptor().Fields().ByName("currency_code"), protoreflect.ValueOfString(sc.currency))
	setMoney(msg, whole*nanosPerUnit+random.Int64N(cents)*nanosPerCent)

	return true
}
