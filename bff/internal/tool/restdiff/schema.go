package restdiff

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// requests compares what may be sent.
func (c *comparison) requests() {
	if was, is := bodyText(c.old.Body), bodyText(c.now.Body); was != is {
		c.changedf(protopos.Route(c.now.Route), BodyChanged, was, is, "takes %s as the body, not %s", is, was)
	}

	s := messages{comparison: c, request: true, seen: map[[2]protoreflect.FullName]bool{}}
	old, now := c.old.Descriptor.Input(), c.now.Descriptor.Input()

	// The same place in the path is the same thing to a client, whatever it is called.
	oldNames, newNames := c.old.Template.Variables(), c.now.Template.Variables()
	for i := range min(len(oldNames), len(newNames)) {
		a, errA := schema.ResolveField(old, oldNames[i])
		b, errB := schema.ResolveField(now, newNames[i])

		if errA == nil && errB == nil {
			s.field(a.Last(), b.Last())
		}
	}

	s.oldInPath, s.newInPath = inPath(old, oldNames), inPath(now, newNames)
	s.message(old, now)
}

// inPath are the fields that a path variable sets as a whole.
func inPath(message protoreflect.MessageDescriptor, variables []string) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor

	for _, name := range variables {
		if path, err := schema.ResolveField(message, name); err == nil && len(path) == 1 {
			fields = append(fields, path[0])
		}
	}

	return fields
}

func bodyText(body string) string {
	switch body {
	case "":
		return "nothing"
	case "*":
		return "the request"
	default:
		return "the field " + body
	}
}

// responses compares what may be received.
func (c *comparison) responses() {
	s := messages{comparison: c, seen: map[[2]protoreflect.FullName]bool{}}
	old, now := c.old.Descriptor.Output(), c.now.Descriptor.Output()

	name := func(body string) string {
		if body == "" {
			return "the response"
		}

		return "the field " + body
	}

	if c.old.ResponseBody != c.now.ResponseBody {
		was, is := name(c.old.ResponseBody), name(c.now.ResponseBody)
		c.changedf(protopos.Route(c.now.Route), ResponseBodyChanged, was, is, "responds with %s, not %s", is, was)

		return
	}

	if c.old.ResponseBody == "" {
		s.message(old, now)

		return
	}

	a, b := old.Fields().ByName(protoreflect.Name(c.old.ResponseBody)), now.Fields().ByName(protoreflect.Name(c.now.ResponseBody))
	if a != nil && b != nil {
		s.field(a, b)
	}
}

// messages compares messages as JSON, in one direction.
type messages struct {
	*comparison

	request bool
	seen    map[[2]protoreflect.FullName]bool
	// oldInPath and newInPath are fields of the request that are part of the path.
	oldInPath, newInPath []protoreflect.FieldDescriptor
}

// rule picks the name of the rule for the direction.
func (s messages) rule(request, response string) string {
	if s.request {
		return request
	}

	return response
}

func (s messages) where() string {
	if s.request {
		return "requests"
	}

	return "responses"
}

func (s messages) message(old, now protoreflect.MessageDescriptor) {
	pair := [2]protoreflect.FullName{old.FullName(), now.FullName()}
	if s.seen[pair] {
		return
	}

	s.seen[pair] = true

	if was, is := messageForm(old), messageForm(now); was != is || was != formObject {
		if was != is {
			s.changedf(protopos.Of(s.now.Descriptor), s.rule(BodyChanged, ResponseBodyChanged), was, is,
				"%s are %s, not %s", s.where(), is, was)
		}

		return
	}

	for i := range old.Fields().Len() {
		if field := old.Fields().Get(i); !slices.Contains(s.oldInPath, field) {
			s.follow(field, now)
		}
	}

	if s.request {
		s.required(old, now)
		s.messageRules(old, now)
	}
}

// follow finds what became of a field.
func (s messages) follow(old protoreflect.FieldDescriptor, message protoreflect.MessageDescriptor) {
	name := old.JSONName()
	now := message.Fields().ByJSONName(name)
	isNew := func(f protoreflect.FieldDescriptor) bool {
		return f != nil && !slices.Contains(s.newInPath, f) && old.ContainingMessage().Fields().ByJSONName(f.JSONName()) == nil
	}

	switch renamed := message.Fields().ByNumber(old.Number()); {
	case now != nil && slices.Contains(s.newInPath, now):
		s.changedf(protopos.Of(now), RequestFieldRemoved, name, "", "%s of %s is part of the path now", name, message.FullName())
	case now != nil:
		s.field(old, now)
	case s.request && s.now.Policy.Effective.GetAllowUnknownFields():
		// It is ignored.
	case isNew(renamed):
		s.changedf(protopos.Of(renamed), s.rule(RequestFieldRenamed, ResponseFieldRenamed), name, renamed.JSONName(),
			"%s of %s is called %s in %s", name, message.FullName(), renamed.JSONName(), s.where())
	default:
		s.lostf(protopos.Of(old), s.rule(RequestFieldRemoved, ResponseFieldRemoved), name,
			"%s of %s is gone from %s", name, old.ContainingMessage().FullName(), s.where())
	}
}

// field compares what a field can hold.
func (s messages) field(old, now protoreflect.FieldDescriptor) {
	was, is := jsonType(old), jsonType(now)
	if was != is && (!s.request || !widened(was, is)) {
		s.changedf(protopos.Of(now), s.rule(RequestFieldType, ResponseFieldType), was, is,
			"%s of %s is %s in %s, not %s", now.JSONName(), now.ContainingMessage().FullName(), is, s.where(), was)

		return
	}

	if s.request {
		s.rules(old, now)

		if into := oneof(now); into != nil && oneof(old) == nil {
			s.changedf(protopos.Of(now), RequestFieldOneof, "", string(into.Name()),
				"%s of %s excludes the other fields of the oneof %s",
				now.JSONName(), now.ContainingMessage().FullName(), into.Name())
		}
	}

	old, now = element(old), element(now)

	switch {
	case old.Message() != nil && now.Message() != nil && !old.IsMap() && messageForm(now.Message()) == formObject:
		inner := s
		inner.oldInPath, inner.newInPath = nil, nil
		inner.message(old.Message(), now.Message())
	case old.Enum() != nil && now.Enum() != nil:
		s.enum(old.Enum(), now.Enum())
	}
}

// element is the field of the values of a map, or else the field itself.
func element(field protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	if field.IsMap() {
		return field.MapValue()
	}

	return field
}

// oneof is the one that the field is a choice of, if any.
func oneof(field protoreflect.FieldDescriptor) protoreflect.OneofDescriptor {
	if in := field.ContainingOneof(); in != nil && !in.IsSynthetic() {
		return in
	}

	return nil
}

// enum finds names of values that are gone.
func (s messages) enum(old, now protoreflect.EnumDescriptor) {
	for i := range old.Values().Len() {
		value := old.Values().Get(i)
		if now.Values().ByName(value.Name()) != nil {
			continue
		}

		if renamed := now.Values().ByNumber(value.Number()); renamed != nil && old.Values().ByName(renamed.Name()) == nil {
			s.changedf(protopos.Of(renamed), EnumValueRenamed, string(value.Name()), string(renamed.Name()),
				"%s of %s is called %s", value.Name(), now.FullName(), renamed.Name())
		} else {
			s.lostf(protopos.Of(value), EnumValueRemoved, string(value.Name()), "%s of %s is gone", value.Name(), old.FullName())
		}
	}
}
