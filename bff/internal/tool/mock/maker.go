package mock

import (
	"slices"
	"strings"
	"time"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maker makes the messages of one answer.
type maker struct {
	texts map[string]func(a about) string
	spans map[string]span
	// today is where time ends.
	today time.Time
	asked asked
	// lasting reports whether what is made must not depend on the present.
	lasting bool
	// messages counts those that were made.
	messages int
}

// scope is what a message has from where it is.
type scope struct {
	seed   seed
	window window
	// currency is one for all that belongs together; empty until it is chosen.
	currency string
	// within are the messages around it, the outermost first.
	within []protoreflect.FullName
	// listed tells that it is an item of a page.
	listed bool
	// total is how many a list has over all pages.
	total int
	// step counts the messages of a stream from 1; 0 elsewhere.
	step, steps int
}

// inside is the scope of what a field holds.
func (sc scope) inside(md protoreflect.MessageDescriptor, name string) scope {
	return scope{
		seed: sc.seed.of(name), window: sc.window, currency: sc.currency,
		within: append(slices.Clone(sc.within), md.FullName()),
	}
}

// repeated tells how often the type is around.
func (sc scope) repeated(of protoreflect.FullName) int {
	n := 0

	for _, name := range sc.within {
		if name == of {
			n++
		}
	}

	return n
}

// fill sets the fields that are not set yet.
func (m *maker) fill(msg protoreflect.Message, sc scope) {
	md := msg.Descriptor()
	cleared := m.asked.echo(msg, sc)
	given := map[protoreflect.Name]bool{}

	msg.Range(func(field protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		given[field.Name()] = true

		return true
	})

	sc, a := m.settle(msg, sc)
	fields := md.Fields()
	chosen := choose(msg, sc)

	for i := range fields.Len() {
		field := fields.Get(i)
		if msg.Has(field) || slices.Contains(cleared, field.Name()) || !chosen(field) || omitted(field, sc) ||
			sorry(msg, field) || m.messages >= maxMessages && held(field) != nil && !isRequired(field) {
			continue
		}

		a.seed, a.name = sc.seed.of(string(field.Name())), string(field.Name())
		m.set(msg, field, a, sc)
	}

	addUp(msg, func(field protoreflect.FieldDescriptor) bool { return given[field.Name()] })
}

// recent is the share of the window after which things are new.
const recent = 0.9

// settle chooses what the whole message shares. A message with an identifier is the same wherever it is.
func (m *maker) settle(msg protoreflect.Message, sc scope) (scope, about) {
	md := msg.Descriptor()
	id := ""

	if field := identity(md); field != nil {
		if !msg.Has(field) {
			a := about{seed: sc.seed.of(string(field.Name())), name: string(field.Name()), of: md}
			m.setIdentity(msg, field, a, sc)
		}

		if id = msg.Get(field).String(); id != "" {
			sc.seed = seed(0).of(string(md.FullName()), id, string(rune(m.asked.attempt)))
			sc.window = window{m.today.Add(-year), m.today}
			sc.currency = ""
		}
	}

	if sc.step > 0 {
		// All of a stream happened not long ago.
		w := window{sc.window.share(recent), sc.window.to}
		part := 1 / float64(sc.steps)
		sc.window = window{w.share(part * float64(sc.step-1)), w.share(part * float64(sc.step))}
	} else {
		sc.window.from = sc.window.within(sc.seed.of("window"), 0, recent)
	}

	switch copied := currencyOf(msg); {
	case copied != "":
		sc.currency = copied
	case sc.currency == "":
		sc.currency = one(sc.seed.of("currency"), currencies())
	}

	return sc, about{of: md, person: personOf(sc.seed, id), place: one(sc.seed.of("place"), places()), currency: sc.currency}
}

// setIdentity makes an identifier, or a resource name.
func (m *maker) setIdentity(msg protoreflect.Message, field protoreflect.FieldDescriptor, a about, sc scope) {
	if field.Kind() == protoreflect.StringKind && field.Name() == nameField {
		msg.Set(field, protoreflect.ValueOfString(m.resourceName(msg.Descriptor(), a.seed)))

		return
	}

	m.set(msg, field, a, sc)
}

// identity is the field that tells one message of the type from another: "order_id" of an Order, "id", or the "name" of a resource
// (AIP-122). Nil if there is none.
func identity(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	fields := md.Fields()

	for _, name := range []protoreflect.Name{protoreflect.Name(snake(md.Name()) + "_id"), "id"} {
		if field := fields.ByName(name); field != nil && field.Cardinality() != protoreflect.Repeated && field.Message() == nil {
			return field
		}
	}

	if len(patterns(md)) > 0 {
		if field := fields.ByName(nameField); field != nil && field.Kind() == protoreflect.StringKind && !field.IsList() {
			return field
		}
	}

	return nil
}

// choose tells which fields of a group of alternatives may be set: one. Groups are oneofs and those of buf.validate's message
// rules.
func choose(msg protoreflect.Message, sc scope) func(protoreflect.FieldDescriptor) bool {
	md := msg.Descriptor()
	refused := map[protoreflect.Name]bool{}

	pick := func(group string, names []protoreflect.Name) {
		names = slices.DeleteFunc(names, func(name protoreflect.Name) bool {
			field := md.Fields().ByName(name)

			return field == nil || !msg.Has(field) && omitted(field, sc)
		})
		if len(names) == 0 {
			return
		}

		chosen := one(sc.seed.of(group), names)
		for _, name := range names {
			if msg.Has(md.Fields().ByName(name)) {
				chosen = name
			}
		}

		for _, name := range names {
			refused[name] = name != chosen
		}
	}

	for i := range md.Oneofs().Len() {
		if oneof := md.Oneofs().Get(i); !oneof.IsSynthetic() {
			names := make([]protoreflect.Name, 0, oneof.Fields().Len())
			for j := range oneof.Fields().Len() {
				names = append(names, oneof.Fields().Get(j).Name())
			}

			pick(string(oneof.Name()), names)
		}
	}

	for _, group := range oneofRules(md) {
		pick(strings.Join(group.GetFields(), ","), asNames(group.GetFields()))
	}

	return func(field protoreflect.FieldDescriptor) bool { return !refused[field.Name()] }
}

func oneofRules(md protoreflect.MessageDescriptor) []*validate.MessageOneofRule {
	found, err := protovalidate.ResolveMessageRules(md)
	if err != nil {
		return nil
	}

	return found.GetOneof()
}

func asNames(fields []string) []protoreflect.Name {
	names := make([]protoreflect.Name, 0, len(fields))
	for _, field := range fields {
		names = append(names, protoreflect.Name(field))
	}

	return names
}

// held is the type of the messages in a field or in its map, nil if it holds none.
func held(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		return field.MapValue().Message()
	}

	return field.Message()
}

// Bounds of messages in messages.
const (
	maxRepeats = 1
	maxDepth   = 8
	// maxMessages is after how many messages only those are made that must be there.
	maxMessages = 300
	// maxElements is how many elements are made at most because the rules want so many.
	maxElements = 100
)

// omitted tells that a field stays unset.
func omitted(field protoreflect.FieldDescriptor, sc scope) bool {
	name := string(field.Name())
	s := sc.seed.of(name, "omitted")

	nested := held(field)

	switch {
	case nested != nil && sc.repeated(nested.FullName()) >= maxRepeats:
		return true
	case isRequired(field):
		return false
	case nested != nil && len(sc.within) >= maxDepth:
		return true
	case nested != nil && slices.Contains([]protoreflect.FullName{anyType, fieldMask}, nested.FullName()),
		name == "next_page_token", endsIn(name, "error", "errors"), isDeprecated(field):
		return true
	case field.HasOptionalKeyword():
		return s.chance(15)
	case nested != nil && endsIn(name, "delete_time", "deleted_at", "read_time", "cancel_time", "purge_time", "expire_time"):
		return s.chance(50)
	default:
		return false
	}
}

// isRequired reports whether a field must be set.
func isRequired(field protoreflect.FieldDescriptor) bool {
	of := rulesOf(field)

	return of.GetRequired() || of.GetRepeated().GetMinItems() > 0 || of.GetMap().GetMinPairs() > 0 ||
		field.Cardinality() == protoreflect.Required
}
