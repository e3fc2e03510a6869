package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/fieldpath"
	"github.com/portico-gateway/portico/bff/internal/jsonpb"
)

// binding is what the protos say of an operation, by which requests get their canonical form.
type binding struct {
	input protoreflect.MessageDescriptor
	// field is what the body sets; nil: the whole message.
	field protoreflect.FieldDescriptor
	// variables are the fields that the path sets.
	variables []fieldpath.Path
	codec     *jsonpb.Codec
}

// bindingOf finds the route in the protos that are linked; nil if it is not there.
func bindingOf(rpc, method, template string) *binding {
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(strings.ReplaceAll(rpc, "/", ".")))
	if err != nil {
		return nil
	}

	descriptor, ok := found.(protoreflect.MethodDescriptor)
	if !ok {
		return nil
	}

	rule, ok := proto.GetExtension(descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil
	}

	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		if verb, written := target(r); verb == method && shape(written) == shape(template) {
			return newBinding(descriptor.Input(), r.GetBody(), written)
		}
	}

	return nil
}

func newBinding(input protoreflect.MessageDescriptor, body, template string) *binding {
	b := &binding{input: input, codec: jsonpb.New(jsonpb.Config{})}
	if body != "*" {
		b.field = input.Fields().ByName(protoreflect.Name(body))
	}

	for _, found := range variables.FindAllStringSubmatch(template, -1) {
		name, _, _ := strings.Cut(found[1], "=")
		if path, err := fieldpath.Resolve(input, name); err == nil {
			b.variables = append(b.variables, path)
		}
	}

	return b
}

// target is the method and the template of a rule.
func target(rule *annotations.HttpRule) (method, template string) {
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", pattern.Get
	case *annotations.HttpRule_Put:
		return "PUT", pattern.Put
	case *annotations.HttpRule_Post:
		return "POST", pattern.Post
	case *annotations.HttpRule_Delete:
		return "DELETE", pattern.Delete
	case *annotations.HttpRule_Patch:
		return "PATCH", pattern.Patch
	case *annotations.HttpRule_Custom:
		return pattern.Custom.GetKind(), pattern.Custom.GetPath()
	default:
		return "", ""
	}
}

var (
	patterned = regexp.MustCompile(`\{[^{}=]*=([^{}]*)\}`)
	wildcard  = regexp.MustCompile(`\*+`)
)

// shape is a template without the names of its variables.
func shape(template string) string {
	template = patterned.ReplaceAllString(template, "$1")
	template = wildcard.ReplaceAllString(template, "{}")

	return variables.ReplaceAllString(template, "{}")
}

// same finds the parameter of the query that is spelled differently; nil if there is none.
func (b *binding) same(op *operation, name string) *parameter {
	if b == nil {
		return nil
	}

	plain, _, _ := cutKey(name)

	wanted, err := fieldpath.Resolve(b.input, plain)
	if err != nil {
		return nil
	}

	for _, p := range op.params {
		if path, err := fieldpath.Resolve(b.input, p.name); p.in == inQuery && err == nil && slices.Equal(path, wanted) {
			return p
		}
	}

	return nil
}

var errNoForm = errors.New("has no canonical form")

// canonical checks a parameter by what protobuf makes of its values.
func (b *binding) canonical(p *parameter, name string, values []string) error {
	if b == nil {
		return errNoForm
	}

	plain, key, keyed := cutKey(name)

	path, err := fieldpath.Resolve(b.input, plain)
	if err != nil {
		return errNoForm
	}

	field := path.Last()

	message := dynamicpb.NewMessage(field.ContainingMessage())
	if err := b.set(message, field, key, keyed, values); err != nil {
		return err
	}

	text, err := protojson.MarshalOptions{EmitUnpopulated: true, AllowPartial: true}.Marshal(message)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoForm, err)
	}

	value, err := parse(text)
	if err != nil {
		return err
	}

	return p.validValue(object(value)[field.JSONName()])
}

// set reads values as the gateway does.
func (b *binding) set(message protoreflect.Message, field protoreflect.FieldDescriptor, key string, keyed bool, values []string) error {
	switch {
	case field.IsMap() && keyed:
		entries := message.Mutable(field).Map()

		name, err := b.codec.ParseText(key, field.MapKey(), nil)
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}

		value, err := b.codec.ParseText(values[0], field.MapValue(), entries.NewValue)
		if err != nil {
			return fmt.Errorf("value: %w", err)
		}

		entries.Set(name.MapKey(), value)
	case field.IsList():
		list := message.Mutable(field).List()

		for _, text := range values {
			value, err := b.codec.ParseText(text, field, list.NewElement)
			if err != nil {
				return fmt.Errorf("value: %w", err)
			}

			list.Append(value)
		}
	default:
		value, err := b.codec.ParseText(values[0], field, func() protoreflect.Value { return message.NewField(field) })
		if err != nil {
			return fmt.Errorf("value: %w", err)
		}

		message.Set(field, value)
	}

	return nil
}

// body is the canonical form of a body, in each of the spellings of names.
func (b *binding) body(mediaType string, body []byte) ([][]byte, error) {
	documents := []json.RawMessage{body}
	stream := mediaType != "application/json"

	if stream {
		documents = nil
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if len(bytes.TrimSpace(line)) > 0 {
				documents = append(documents, line)
			}
		}
	}

	var forms [][]byte

	for _, protoNames := range []bool{false, true} {
		var out []byte

		for _, document := range documents {
			text, err := b.document(document, protoNames)
			if err != nil {
				return nil, err
			}

			out = append(append(out, text...), '\n')
		}

		forms = append(forms, out)
	}

	return forms, nil
}

// document reads one document as the gateway does and writes it as protobuf does, without what the path sets.
func (b *binding) document(text []byte, protoNames bool) ([]byte, error) {
	options := protojson.MarshalOptions{UseProtoNames: protoNames, AllowPartial: true}
	message := dynamicpb.NewMessage(b.input)

	var err error
	if b.field == nil {
		err = b.codec.Decode(text, message, jsonpb.Options{})
	} else {
		err = b.codec.DecodeField(text, message, b.field, jsonpb.Options{})
	}

	if err != nil {
		// A stream of client messages may come as an array.
		if elements := []json.RawMessage(nil); json.Unmarshal(text, &elements) == nil && b.field == nil {
			return b.array(elements, protoNames)
		}

		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	for _, path := range b.variables {
		clearPath(message, path)
	}

	out, err := options.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	if b.field == nil {
		return out, nil
	}

	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(out, &members); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	name := b.field.JSONName()
	if protoNames {
		name = b.field.TextName()
	}

	if value, ok := members[name]; ok {
		return value, nil
	}

	return b.unset(name, protoNames)
}

// unset is the form of a field that has its default.
func (b *binding) unset(name string, protoNames bool) ([]byte, error) {
	options := protojson.MarshalOptions{UseProtoNames: protoNames, AllowPartial: true, EmitUnpopulated: true}

	out, err := options.Marshal(dynamicpb.NewMessage(b.input))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(out, &members); err != nil {
		return nil, fmt.Errorf("%w: %w", errNoForm, err)
	}

	return members[name], nil
}

func (b *binding) array(elements []json.RawMessage, protoNames bool) ([]byte, error) {
	out := []json.RawMessage{}

	for _, element := range elements {
		text, err := b.document(element, protoNames)
		if err != nil {
			return nil, err
		}

		out = append(out, text)
	}

	return json.Marshal(out) //nolint:wrapcheck // It cannot fail.
}

// clearPath takes a field away that is set.
func clearPath(message protoreflect.Message, path fieldpath.Path) {
	for _, field := range path[:len(path)-1] {
		if !message.Has(field) {
			return
		}

		message = message.Mutable(field).Message()
	}

	message.Clear(path.Last())
}
