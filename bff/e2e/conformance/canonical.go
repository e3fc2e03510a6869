package conformance

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	googlejson "google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// binding is what the protos say of an operation, by which requests get their canonical form.
type binding struct {
	input, output protoreflect.MessageDescriptor
	// answer is the field that is the answer; nil: the whole message.
	answer protoreflect.FieldDescriptor
	// field is what the body sets; nil: the whole message.
	field protoreflect.FieldDescriptor
	// mask is the field that says what of the body counts; nil: all of it does.
	mask protoreflect.FieldDescriptor
	// variables are the fields that the path sets.
	variables []schema.FieldPath
	codec     *protojson.Codec
}

// bindingOf finds the route in the protos that are linked; nil if it is not there.
func bindingOf(rpc, method, template string) *binding {
	descriptor, ok := schema.LinkedMethod(rpc)
	if !ok {
		return nil
	}

	rule, ok := proto.GetExtension(descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil
	}

	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		if verb, written := target(r); verb == method && describes(template, written) {
			return newBinding(descriptor, r, verb, written)
		}
	}

	return nil
}

func newBinding(method protoreflect.MethodDescriptor, rule *annotations.HttpRule, verb, template string) *binding {
	input := method.Input()
	b := &binding{input: input, output: method.Output(), codec: protojson.New(config.JSON{}.WithDefaults())}
	b.answer = b.output.Fields().ByName(protoreflect.Name(rule.GetResponseBody()))

	if rule.GetBody() != "*" {
		b.field = input.Fields().ByName(protoreflect.Name(rule.GetBody()))
	}

	b.mask = maskOf(verb, input, b.field)

	for _, found := range variables.FindAllStringSubmatch(template, -1) {
		name, _, _ := strings.Cut(found[1], "=")
		if path, err := schema.ResolveField(input, name); err == nil {
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

// describes reports whether a path of a document is that of a template. A "**" may be described as several segments, where another
// template has the path with fewer.
func describes(path, template string) bool {
	for strings.Count(template, "/") <= strings.Count(path, "/") {
		if shape(template) == shape(path) {
			return true
		}

		longer := strings.Replace(template, "**", "*/**", 1)
		if longer == template {
			return false
		}

		template = longer
	}

	return false
}

// shape is a template without the names of its variables.
func shape(template string) string {
	template = patterned.ReplaceAllString(template, "$1")
	template = wildcard.ReplaceAllString(template, "{}")

	return variables.ReplaceAllString(template, "{}")
}

// same finds the parameter of the query that is spelled differently; nil if there is none. Of an operation whose protos are not
// linked, the spelling in snake_case is known.
func (b *binding) same(op *operation, name string) *parameter {
	if b == nil {
		return op.parameter(inQuery, camel(name))
	}

	plain, _, _ := cutKey(name)

	wanted, err := schema.ResolveField(b.input, plain)
	if err != nil {
		return nil
	}

	for _, p := range op.params {
		if path, err := schema.ResolveField(b.input, p.name); p.in == inQuery && err == nil && slices.Equal(path, wanted) {
			return p
		}
	}

	return nil
}

// camel is the name in JSON of a field, as protobuf makes it.
func camel(name string) string {
	parts := strings.Split(name, "_")
	for i, part := range parts[1:] {
		if part != "" {
			parts[i+1] = strings.ToUpper(part[:1]) + part[1:]
		}
	}

	return strings.Join(parts, "")
}

var errNoForm = errors.New("has no canonical form")

// canonical checks a parameter by what protobuf makes of its values.
func (b *binding) canonical(p *parameter, name string, values []string) error {
	if b == nil {
		return errNoForm
	}

	plain, key, keyed := cutKey(name)

	path, err := schema.ResolveField(b.input, plain)
	if err != nil {
		return errNoForm
	}

	field := path.Last()

	message := dynamicpb.NewMessage(field.ContainingMessage())
	if err := b.set(message, field, key, keyed, values); err != nil {
		return err
	}

	replaceUnknown(message)

	text, err := googlejson.MarshalOptions{EmitUnpopulated: true, AllowPartial: true}.Marshal(message)
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
func (b *binding) set(
	message protoreflect.Message, field protoreflect.FieldDescriptor, key string, keyed bool, values []string,
) error {
	switch {
	case field.IsMap() && keyed:
		entries := message.Mutable(field).Map()

		name, err := protojson.ParseKey(field.MapKey().Kind(), key)
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}

		value, err := b.codec.ParseText(values[0], field, entries.NewValue, protojson.Limits{})
		if err != nil {
			return fmt.Errorf("value: %w", err)
		}

		entries.Set(name, value)
	case field.IsList():
		list := message.Mutable(field).List()

		for _, text := range values {
			value, err := b.codec.ParseText(text, field, list.NewElement, protojson.Limits{})
			if err != nil {
				return fmt.Errorf("value: %w", err)
			}

			list.Append(value)
		}
	default:
		fresh := func() protoreflect.Value { return message.NewField(field) }

		value, err := b.codec.ParseText(values[0], field, fresh, protojson.Limits{})
		if err != nil {
			return fmt.Errorf("value: %w", err)
		}

		message.Set(field, value)
	}

	return nil
}
