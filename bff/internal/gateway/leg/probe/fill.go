package probe

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Replies says what is in the replies of a Run. Those with content have one element in each list and map.
type Replies int

const (
	// Made has values that can be recognized: see IsMade.
	Made Replies = iota
	// Plausible has the value of the request in each text whose name the request has as well, and the caller's subject in the
	// others, for composites that compare them. Its booleans, enums and alternatives are others than those of Made.
	Plausible
	// Empty has nothing.
	Empty
)

const (
	// made is in each text that is made up.
	made = "made-up-value"
	// number is small, because composites count and wait by numbers.
	number = 1
	// maxDepth is how deep messages are in messages, and maxMessages how many there are in one.
	maxDepth, maxMessages = 8, 200
	// pageToken is the end of the names of texts that stay empty: there is one page (AIP-158).
	pageToken = "page_token"
)

// IsMade reports whether the text of a field is not set, or contains a value that Made has made up.
func IsMade(field protoreflect.FieldDescriptor, text string) bool {
	if field.Kind() == protoreflect.StringKind {
		return text == "" || strings.Contains(text, made)
	}

	return text == "0" || text == "1"
}

// HasMade reports whether a message has a text that Made has made up.
func HasMade(m proto.Message) bool {
	// What cannot be encoded is a text that is not valid, and was not made up. A stream that has sent nothing has no message.
	encoding, _ := proto.MarshalOptions{AllowPartial: true}.Marshal(m)

	return strings.Contains(string(encoding), made)
}

// Fill sets the texts, lists and messages of a request that are not set, as Made does, and no numbers, which have a default.
func Fill(request proto.Message) {
	filler{numbers: 0, text: func(string) string { return made }}.fill(request.ProtoReflect())
}

// fill fills a reply to a request. Anything but a message stays as it is.
func (r Replies) fill(reply any, run *Run, request any) {
	message, ok := reply.(proto.Message)
	if !ok || r == Empty {
		return
	}

	f := filler{numbers: number, text: func(string) string { return made }}

	if r == Plausible {
		known := map[string]string{}

		for _, source := range []any{request, run.Request} {
			if m, ok := source.(proto.Message); ok && m != nil {
				texts(m.ProtoReflect(), known)
			}
		}

		f.last = true
		f.text = func(name string) string {
			if text := known[name]; text != "" {
				return text
			}

			return run.Subject
		}
	}

	f.fill(message.ProtoReflect())
}

// texts adds the texts of a message, and of the messages in it, by the names of their fields. The first one of a name counts.
func texts(m protoreflect.Message, known map[string]string) {
	for field := range schema.All(m.Descriptor().Fields()) {
		switch name := string(field.Name()); {
		case field.IsList() || field.IsMap() || !m.Has(field):
		case field.Message() != nil:
			texts(m.Get(field).Message(), known)
		case field.Kind() == protoreflect.StringKind && known[name] == "":
			known[name] = m.Get(field).String()
		}
	}
}

// filler fills messages.
type filler struct {
	// last chooses the last of alternatives instead of the first, and false instead of true.
	last    bool
	numbers int64
	text    func(name string) string
}

// fill fills a message, level by level, so that what is near is there if there is too much.
func (f filler) fill(m protoreflect.Message) {
	level := []protoreflect.Message{m}

	for depth, n := 1, 0; len(level) > 0 && n < maxMessages; depth++ {
		var next []protoreflect.Message

		for _, m := range level {
			if n++; n > maxMessages {
				break
			}

			for field := range schema.All(m.Descriptor().Fields()) {
				if !m.Has(field) && !f.omits(field) {
					next = f.set(m, field, depth < maxDepth, next)
				}
			}
		}

		level = next
	}
}

// omits reports whether a field is the token of a page, or another member of its oneof is chosen.
func (f filler) omits(field protoreflect.FieldDescriptor) bool {
	if strings.HasSuffix(string(field.Name()), pageToken) {
		return true
	}

	oneof := field.ContainingOneof()

	return oneof != nil && !oneof.IsSynthetic() && field != oneof.Fields().Get(f.choose(oneof.Fields().Len()))
}

func (f filler) choose(of int) int {
	if f.last {
		return of - 1
	}

	return 0
}

// set sets a field. Messages in it, which are added only if deeper is set, are added to those that are to be filled.
func (f filler) set(
	m protoreflect.Message, field protoreflect.FieldDescriptor, deeper bool, next []protoreflect.Message,
) []protoreflect.Message {
	element := field
	if field.IsMap() {
		element = field.MapValue()
	}

	nested := element.Message() != nil
	if nested && !deeper {
		return next
	}

	switch {
	case field.IsMap() && nested:
		return append(next, m.Mutable(field).Map().Mutable(f.scalar(field.MapKey()).MapKey()).Message())
	case field.IsMap():
		m.Mutable(field).Map().Set(f.scalar(field.MapKey()).MapKey(), f.scalar(element))
	case field.IsList() && nested:
		return append(next, m.Mutable(field).List().AppendMutable().Message())
	case field.IsList():
		m.Mutable(field).List().Append(f.scalar(field))
	case nested:
		return append(next, m.Mutable(field).Message())
	default:
		m.Set(field, f.scalar(field))
	}

	return next
}

func (f filler) scalar(field protoreflect.FieldDescriptor) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!f.last)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.enum(field.Enum().Values()))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(f.text(string(field.Name())))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(f.text(string(field.Name()))))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(f.numbers))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(f.numbers))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(f.numbers))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(f.numbers))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(f.numbers)
	default:
		return protoreflect.ValueOfInt32(int32(f.numbers))
	}
}

// enum returns a value that is not the unspecified one, unless there is no other.
func (f filler) enum(values protoreflect.EnumValueDescriptors) protoreflect.EnumNumber {
	first := min(1, values.Len()-1)

	return values.Get(first + f.choose(values.Len()-first)).Number()
}
