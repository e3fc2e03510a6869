package mock

import (
	"slices"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// maker makes the messages of one reply.
type maker struct {
	// today is where time ends.
	today time.Time
	asked asked
	// committed reports whether what is made must not depend on the present.
	committed bool
	// messages counts those that were made.
	messages int
}

// scope is what a message has from where it is.
type scope struct {
	seed seed
	// created is when it was created.
	created time.Time
	// within are the messages around it, the outermost first.
	within []protoreflect.FullName
	// listed reports whether it is an item of a page.
	listed bool
	// total is how many a list has over all pages.
	total int
	// step counts the messages of a stream from 1; 0 elsewhere.
	step int
}

// inside is the scope of what a field holds.
func (sc scope) inside(md protoreflect.MessageDescriptor, name string) scope {
	return scope{seed: sc.seed.of(name), created: sc.created, within: append(slices.Clone(sc.within), md.FullName())}
}

// fill sets the fields that are not set yet.
func (m *maker) fill(msg protoreflect.Message, sc scope) {
	md := msg.Descriptor()
	cleared := m.asked.echo(msg, sc)
	sc = m.settle(msg, sc)
	chosen := choose(msg, sc)

	for i := range md.Fields().Len() {
		field := md.Fields().Get(i)
		if msg.Has(field) || slices.Contains(cleared, field.Name()) || !chosen(field) || omitted(field, sc) ||
			m.messages >= maxMessages && held(field) != nil && !isRequired(field) {
			continue
		}

		m.set(msg, field, value{seed: sc.seed.of(string(field.Name())), name: string(field.Name()), of: md}, sc)
	}
}

// settle decides what the whole message shares. A message with an identifier is the same wherever it is.
func (m *maker) settle(msg protoreflect.Message, sc scope) scope {
	md := msg.Descriptor()

	if field := identity(md); field != nil {
		if !msg.Has(field) {
			m.setIdentity(msg, field, sc)
		}

		if id := msg.Get(field).String(); id != "" {
			sc.seed = seed(0).of(string(md.FullName()), id, string(rune(m.asked.attempt)))
			sc.created = time.Time{}
		}
	}

	switch {
	case sc.step > 0:
		sc.created = m.today.Add(time.Duration(sc.step-streamed-1) * time.Hour)
	case sc.created.IsZero():
		sc.created = m.today.Add(-day - sc.seed.of("created").duration(year-day))
	}

	return sc
}

// setIdentity makes an identifier, or the name of a resource below the parent that the request names (AIP-122).
func (m *maker) setIdentity(msg protoreflect.Message, field protoreflect.FieldDescriptor, sc scope) {
	md, s := msg.Descriptor(), sc.seed.of(string(field.Name()))

	known := patterns(md)
	if field.Name() != nameField || len(known) == 0 {
		m.set(msg, field, value{seed: s, name: string(field.Name()), of: md}, sc)

		return
	}

	segments := strings.Split(known[0], "/")
	for i, segment := range segments {
		if strings.HasPrefix(segment, "{") {
			segments[i] = identifier(strings.Trim(segment, "{}"), s.at(i))
		}
	}

	// The last two are the collection and the identifier.
	if parent := m.asked.parent(); parent != "" && len(segments) > 2 {
		segments = append([]string{parent}, segments[len(segments)-2:]...)
	}

	msg.Set(field, protoreflect.ValueOfString(strings.Join(segments, "/")))
}

const nameField = "name"

// identity is the field that tells one message of the type from another: "order_id" of an Order, "id", or the "name" of a resource
// (AIP-122). Nil if there is none.
func identity(md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	fields := md.Fields()

	for _, name := range []protoreflect.Name{protoreflect.Name(snake(md.Name()) + "_id"), "id"} {
		if field := fields.ByName(name); field != nil && field.Cardinality() != protoreflect.Repeated && field.Message() == nil {
			return field
		}
	}

	if field := fields.ByName(nameField); isString(field) && len(patterns(md)) > 0 {
		return field
	}

	return nil
}

func isString(field protoreflect.FieldDescriptor) bool {
	return field != nil && field.Kind() == protoreflect.StringKind && !field.IsList()
}

// choose reports which fields of a group of alternatives may be set: one. Groups are oneofs and those of buf.validate's message
// rules.
func choose(msg protoreflect.Message, sc scope) func(protoreflect.FieldDescriptor) bool {
	md := msg.Descriptor()
	refused := map[protoreflect.FieldDescriptor]bool{}

	for _, group := range groups(md) {
		group = slices.DeleteFunc(group, func(field protoreflect.FieldDescriptor) bool {
			return field == nil || !msg.Has(field) && omitted(field, sc)
		})
		if len(group) == 0 {
			continue
		}

		chosen := one(sc.seed.of(string(group[0].Name())), group)
		if set := slices.IndexFunc(group, msg.Has); set >= 0 {
			chosen = group[set]
		}

		for _, field := range group {
			refused[field] = field != chosen
		}
	}

	return func(field protoreflect.FieldDescriptor) bool { return !refused[field] }
}

func groups(md protoreflect.MessageDescriptor) [][]protoreflect.FieldDescriptor {
	var all [][]protoreflect.FieldDescriptor

	for i := range md.Oneofs().Len() {
		if oneof := md.Oneofs().Get(i); !oneof.IsSynthetic() {
			group := make([]protoreflect.FieldDescriptor, 0, oneof.Fields().Len())
			for j := range oneof.Fields().Len() {
				group = append(group, oneof.Fields().Get(j))
			}

			all = append(all, group)
		}
	}

	// Rules that cannot be read are reported where they are enforced.
	rules, _ := protovalidate.ResolveMessageRules(md)
	for _, oneof := range rules.GetOneof() {
		group := make([]protoreflect.FieldDescriptor, 0, len(oneof.GetFields()))
		for _, name := range oneof.GetFields() {
			group = append(group, md.Fields().ByName(protoreflect.Name(name)))
		}

		all = append(all, group)
	}

	return all
}

// Bounds of messages in messages.
const (
	maxDepth = 8
	// maxMessages is after how many messages only required ones are made.
	maxMessages = 300
	// maxElements is how many elements are made at most because the rules want so many.
	maxElements = 100
)

// omitted reports whether a field stays unset.
func omitted(field protoreflect.FieldDescriptor, sc scope) bool {
	nested := held(field)

	switch {
	case nested != nil && slices.Contains(sc.within, nested.FullName()):
		return true
	case isRequired(field):
		return false
	case nested != nil && (len(sc.within) >= maxDepth || nested.FullName() == anyType || nested.FullName() == fieldMask):
		return true
	case field.Name() == "next_page_token", endsIn(string(field.Name()), "error", "errors"), isDeprecated(field):
		return true
	case field.HasOptionalKeyword():
		return sc.seed.of(string(field.Name()), "omitted").chance(15)
	default:
		return false
	}
}

// held is the type of the messages in a field or in its map; nil if it holds none.
func held(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		return field.MapValue().Message()
	}

	return field.Message()
}

// isRequired reports whether a field must be set.
func isRequired(field protoreflect.FieldDescriptor) bool {
	of := rulesOf(field)

	return of.GetRequired() || of.GetRepeated().GetMinItems() > 0 || of.GetMap().GetMinPairs() > 0 ||
		field.Cardinality() == protoreflect.Required
}

func isDeprecated(field protoreflect.FieldDescriptor) bool {
	options, ok := field.Options().(*descriptorpb.FieldOptions)

	return ok && options.GetDeprecated()
}
