package mock

import (
	"errors"
	"slices"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maker makes a message. What it makes depends on a number, n: another number gives another message, if the rules permit it.
type maker struct {
	validator protovalidate.Validator
	now       func() time.Time
	// around are the types of the messages around the one that is being made.
	around []protoreflect.FullName
	// messages counts those that were made.
	messages int
}

func newMaker(now func() time.Time) (*maker, error) {
	validator, err := protovalidate.New()

	return &maker{validator: validator, now: now}, err
}

// another makes another message, within those of the types.
func (m *maker) another(around ...protoreflect.FullName) *maker {
	return &maker{validator: m.validator, now: m.now, around: around}
}

const (
	// maxDepth is how deep messages are in messages, except for required ones.
	maxDepth = 8
	// maxMessages is the number of messages after which only required ones are made.
	maxMessages = 300
	// maxElements is how many elements of a list are made at most, even if the rules require more.
	maxElements = 100
	// messageTries and fieldTries are how many messages and values are made to find one that meets the rules.
	messageTries, fieldTries = 8, 20
)

// fill sets the fields that are not set yet.
func (m *maker) fill(msg protoreflect.Message, n int) {
	md := msg.Descriptor()
	m.messages++

	if id := identifier(md); id != nil {
		if !msg.Has(id) {
			m.set(msg, id, n)
		}

		n = hash([]byte(string(md.FullName()) + msg.Get(id).String()))
	}

	m.around = append(m.around, md.FullName())
	defer func() { m.around = m.around[:len(m.around)-1] }()

	var made []protoreflect.FieldDescriptor

	for try := range messageTries {
		for _, field := range made {
			msg.Clear(field)
		}

		made = m.fields(msg, n, try)

		if m.messages >= maxMessages || m.valid(msg, md) {
			return
		}
	}
}

// fields sets the fields that are not set yet, and returns them. At another try, fields differ from each other in another way.
func (m *maker) fields(msg protoreflect.Message, n, try int) (made []protoreflect.FieldDescriptor) {
	refused := m.alternatives(msg, n+try)

	for i := range msg.Descriptor().Fields().Len() {
		field := msg.Descriptor().Fields().Get(i)
		if msg.Has(field) || refused[field] || m.omitted(field) {
			continue
		}

		m.set(msg, field, n+try*i)

		made = append(made, field)
	}

	return made
}

// alternatives returns the fields that must not be set, because another one of their group is: groups are oneofs and those of the
// message rules of buf.validate.
func (m *maker) alternatives(msg protoreflect.Message, n int) map[protoreflect.FieldDescriptor]bool {
	refused := map[protoreflect.FieldDescriptor]bool{}

	for _, group := range groups(msg.Descriptor()) {
		group = slices.DeleteFunc(group, func(field protoreflect.FieldDescriptor) bool {
			return field == nil || !msg.Has(field) && m.omitted(field)
		})
		if len(group) == 0 {
			continue
		}

		chosen := group[n%len(group)]
		if set := slices.IndexFunc(group, msg.Has); set >= 0 {
			chosen = group[set]
		}

		for _, field := range group {
			refused[field] = field != chosen
		}
	}

	return refused
}

func groups(md protoreflect.MessageDescriptor) [][]protoreflect.FieldDescriptor {
	// Rules that cannot be read are reported where they are enforced.
	rules, _ := protovalidate.ResolveMessageRules(md)
	all := make([][]protoreflect.FieldDescriptor, 0, md.Oneofs().Len()+len(rules.GetOneof()))

	for i := range md.Oneofs().Len() {
		fields := md.Oneofs().Get(i).Fields()
		group := make([]protoreflect.FieldDescriptor, 0, fields.Len())

		for j := range fields.Len() {
			group = append(group, fields.Get(j))
		}

		all = append(all, group)
	}

	for _, oneof := range rules.GetOneof() {
		group := make([]protoreflect.FieldDescriptor, 0, len(oneof.GetFields()))
		for _, name := range oneof.GetFields() {
			group = append(group, md.Fields().ByName(protoreflect.Name(name)))
		}

		all = append(all, group)
	}

	return all
}

// omitted reports whether a field stays unset: a message within itself, and one that nobody needs where there are many already.
func (m *maker) omitted(field protoreflect.FieldDescriptor) bool {
	nested := field.Message()
	if field.IsMap() {
		nested = field.MapValue().Message()
	}

	switch {
	case nested == nil:
		return false
	case slices.Contains(m.around, nested.FullName()):
		return true
	case isRequired(field):
		return false
	default:
		return nested.FullName() == anyType || nested.FullName() == fieldMask ||
			len(m.around) > maxDepth || m.messages >= maxMessages
	}
}

// isRequired reports whether a field must be set.
func isRequired(field protoreflect.FieldDescriptor) bool {
	of := rulesOf(field)

	return of.GetRequired() || of.GetRepeated().GetMinItems() > 0 || of.GetMap().GetMinPairs() > 0 ||
		field.Cardinality() == protoreflect.Required
}

// valid reports whether a message meets the rules of one of its fields, of the message itself without its fields, or all rules if
// the descriptor is nil. Rules that cannot be evaluated are met.
func (m *maker) valid(msg protoreflect.Message, of protoreflect.Descriptor) bool {
	var invalid *protovalidate.ValidationError

	return !errors.As(m.validator.Validate(msg.Interface(), protovalidate.WithFilter(protovalidate.FilterFunc(
		func(_ protoreflect.Message, d protoreflect.Descriptor) bool { return of == nil || d == of }))), &invalid)
}
