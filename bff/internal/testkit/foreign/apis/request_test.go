package apis_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/testkit/linkedserver"
)

// sent is a request as a client writes it, and the message that it means.
type sent struct {
	path  string
	query url.Values
	body  string
	means proto.Message
}

// write writes a message for a route. What neither path nor query nor body can carry it takes from the message.
func (f filler) write(r schema.Route, message proto.Message) (sent, error) {
	s := sent{query: url.Values{}, means: linkedserver.NewMessage(r.Descriptor.Input())}
	from := proto.Clone(message).ProtoReflect()

	var bound []schema.FieldPath

	for _, name := range r.Template.Variables() {
		path, err := schema.ResolveField(from.Descriptor(), name)
		if err != nil {
			return sent{}, err
		}

		clearAt(from, path)
		bound = append(bound, path)
	}

	if err := s.writeBody(r, from); err != nil {
		return sent{}, err
	}

	if r.Body != "*" {
		if err := s.writeQuery(from, nil, bound); err != nil {
			return sent{}, err
		}
	}

	s.path = f.writePath(r.Template.String(), s.means.ProtoReflect())

	return s, nil
}

// writeBody moves what the body holds.
func (s *sent) writeBody(r schema.Route, from protoreflect.Message) error {
	switch r.Body {
	case "":
		return nil
	case "*":
		text, err := protojson.Marshal(from.Interface())
		proto.Merge(s.means, from.Interface())
		s.body = string(text)

		if r.ClientStream {
			s.body = "[" + s.body + "]"
		}

		return err
	default:
		field := from.Descriptor().Fields().ByName(protoreflect.Name(r.Body))
		text, err := jsonOf(from, field)
		s.body = string(text)

		if from.Has(field) {
			s.means.ProtoReflect().Set(field, from.Get(field))
		} else if field.Message() != nil && !field.IsList() && !field.IsMap() {
			s.body = "{}"
			s.means.ProtoReflect().Mutable(field)
		}

		from.Clear(field)

		return err
	}
}

// jsonOf is the JSON of one field.
func jsonOf(from protoreflect.Message, field protoreflect.FieldDescriptor) (json.RawMessage, error) {
	alone := from.New()
	if from.Has(field) {
		alone.Set(field, from.Get(field))
	}

	// What is not set inside of the field is left out, since of a google.protobuf.Value null is a value.
	text, err := protojson.MarshalOptions{EmitUnpopulated: !from.Has(field), AllowPartial: true}.Marshal(alone.Interface())
	if err != nil {
		return nil, err
	}

	members := map[string]json.RawMessage{}
	err = json.Unmarshal(text, &members)

	return members[field.JSONName()], err
}

// writeQuery writes what can be parameters.
func (s *sent) writeQuery(from protoreflect.Message, above schema.FieldPath, bound []schema.FieldPath) error {
	var failed error

	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		path := append(slices.Clone(above), field)
		if slices.ContainsFunc(bound, func(b schema.FieldPath) bool { return slices.Equal(b, path) }) {
			return true
		}

		if field.Message() != nil && !field.IsList() && !field.IsMap() && !isParameter(field.Message()) {
			if !slices.Contains(noParameter, field.Message().FullName()) {
				failed = s.writeQuery(value.Message(), path, bound)
			}

			return failed == nil
		}

		if hasMessage(field) && (field.IsList() || field.IsMap()) {
			return true
		}

		failed = s.writeParameter(from, path, field)

		return failed == nil
	})

	return failed
}

var noParameter = []protoreflect.FullName{"google.protobuf.Any", "google.protobuf.Empty", "google.api.HttpBody"}

func isParameter(message protoreflect.MessageDescriptor) bool {
	return message.ParentFile().Package() == "google.protobuf" && !slices.Contains(noParameter, message.FullName())
}

func (s *sent) writeParameter(from protoreflect.Message, path schema.FieldPath, field protoreflect.FieldDescriptor) error {
	text, err := jsonOf(from, field)
	if err != nil {
		return err
	}

	names := make([]string, 0, len(path))
	for _, part := range path {
		names = append(names, part.JSONName())
	}

	name := strings.Join(names, ".")

	switch {
	case field.IsList():
		var elements []json.RawMessage

		err = json.Unmarshal(text, &elements)
		for _, element := range elements {
			s.query.Add(name, plain(element))
		}
	case field.IsMap():
		entries := map[string]json.RawMessage{}

		err = json.Unmarshal(text, &entries)
		for key, entry := range entries {
			s.query.Set(name+"["+key+"]", plain(entry))
		}
	default:
		if field.Message() != nil && slices.Contains([]protoreflect.Name{"Struct", "Value", "ListValue"}, field.Message().Name()) {
			s.query.Set(name, string(text))
		} else {
			s.query.Set(name, plain(text))
		}
	}

	into := s.means.ProtoReflect()
	for _, part := range path[:len(path)-1] {
		into = into.Mutable(part).Message()
	}

	into.Set(field, from.Get(field))

	return err
}

// plain is a JSON value as a query has it.
func plain(text json.RawMessage) string {
	var unquoted string
	if json.Unmarshal(text, &unquoted) == nil {
		return unquoted
	}

	return string(text)
}

func clearAt(message protoreflect.Message, path schema.FieldPath) {
	for _, field := range path[:len(path)-1] {
		if !message.Has(field) {
			return
		}

		message = message.Mutable(field).Message()
	}

	message.Clear(path.Last())
}

// writePath fills a template, and sets the fields of its variables.
func (f filler) writePath(template string, means protoreflect.Message) string {
	var out strings.Builder

	for template != "" {
		before, rest, found := strings.Cut(template, "{")
		out.WriteString(before)

		if !found {
			break
		}

		variable, after, _ := strings.Cut(rest, "}")
		name, pattern, fixed := strings.Cut(variable, "=")

		path, err := schema.ResolveField(means.Descriptor(), name)
		if err != nil {
			panic(err)
		}

		into := means
		for _, part := range path[:len(path)-1] {
			into = into.Mutable(part).Message()
		}

		var value string

		if fixed {
			value = f.segments(pattern)
			out.WriteString(escaped(value))
			into.Set(path.Last(), protoreflect.ValueOfString(value))
		} else {
			value = f.scalar(into, path.Last())
			out.WriteString(url.PathEscape(value))
		}

		template = after
	}

	return out.String()
}

// scalar sets a field, and returns the text of its value.
func (f filler) scalar(into protoreflect.Message, field protoreflect.FieldDescriptor) string {
	into.Set(field, f.value(field, into.NewField(field), 0))

	text, err := jsonOf(into, field)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", field.FullName(), err))
	}

	return plain(text)
}

// segments are some that a pattern matches. Reserved characters are left out: how many escapes of them stay depends on the template.
func (f filler) segments(pattern string) string {
	parts := strings.Split(pattern, "/")
	for i, part := range parts {
		switch part {
		case "*":
			parts[i] = f.segment()
		case "**":
			parts[i] = f.segment() + "/" + f.segment()
		}
	}

	return strings.Join(parts, "/")
}

func (f filler) segment() string {
	letters := []rune("abcXYZ019-_.~ üß€😀\"<>`")
	out := []rune{'s'}

	for range f.IntN(8) {
		out = append(out, letters[f.IntN(len(letters))])
	}

	return string(out)
}

func escaped(value string) string {
	parts := strings.Split(value, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}

	return strings.Join(parts, "/")
}
