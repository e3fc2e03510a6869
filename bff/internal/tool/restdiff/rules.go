package restdiff

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/tool/protopos"
)

// requirements finds fields without which messages break their rules, and caches them. There is one for each version: a validator
// knows messages by their names.
type requirements struct {
	validator protovalidate.Validator
	known     map[protoreflect.FullName]map[protoreflect.Name]bool
}

func newRequirements() (requirements, error) {
	validator, err := protovalidate.New()
	if err != nil {
		return requirements{}, fmt.Errorf("validation rules: %w", err)
	}

	return requirements{validator: validator, known: map[protoreflect.FullName]map[protoreflect.Name]bool{}}, nil
}

// of returns the names of the fields that a message requires.
func (r requirements) of(message protoreflect.MessageDescriptor) map[protoreflect.Name]bool {
	names, ok := r.known[message.FullName()]
	if !ok {
		names = map[protoreflect.Name]bool{}
		r.known[message.FullName()] = names

		// The gateway refuses rules that do not compile.
		fields, _ := schema.RequiredFields(r.validator, message)
		for _, field := range fields {
			names[field.Name()] = true
		}
	}

	return names
}

// required finds fields that were optional and are required.
func (s messages) required(old, now protoreflect.MessageDescriptor) {
	for _, name := range slices.Sorted(maps.Keys(s.requiredNow.of(now))) {
		field := now.Fields().ByName(name)
		if field == nil || slices.Contains(s.newInPath, field) {
			continue
		}

		before := old.Fields().ByJSONName(field.JSONName())
		if before == nil || !s.requiredOld.of(old)[before.Name()] {
			s.changedf(protopos.Of(field), RequestFieldRequired, "optional", "required",
				"%s of %s must be given", field.JSONName(), now.FullName())
		}
	}
}

// rules finds rules of a field that allow less than before.
func (s messages) rules(old, now protoreflect.FieldDescriptor) {
	before, after := flat(fieldRules(old)), flat(fieldRules(now))

	for _, path := range slices.Sorted(maps.Keys(after)) {
		was, had := before[path]
		is := after[path]

		if path == "required" || had && is.text == was.text || !tightened(path, before, is) {
			continue
		}

		s.changedf(protopos.Of(now), RequestRuleTightened, was.text, is.text,
			"%s of %s: the rule %s is %s%s", now.JSONName(), now.ContainingMessage().FullName(), path, is.text, instead(was.text))
	}

	// The one rule that loosens others.
	if was, had := before["ignore"]; had && after["ignore"].number < was.number {
		s.changedf(protopos.Of(now), RequestRuleTightened, was.text, after["ignore"].text,
			"%s of %s: its rules are no longer ignored", now.JSONName(), now.ContainingMessage().FullName())
	}
}

func instead(was string) string {
	if was == "" {
		return ""
	}

	return ", not " + was
}

// messageRules finds new rules of a message and its oneofs.
func (s messages) messageRules(old, now protoreflect.MessageDescriptor) {
	before, _ := proto.GetExtension(old.Options(), validate.E_Message).(*validate.MessageRules)
	after, _ := proto.GetExtension(now.Options(), validate.E_Message).(*validate.MessageRules)

	known := texts(before)
	for _, text := range texts(after) {
		if !slices.Contains(known, text) {
			s.changedf(protopos.Of(now), RequestRuleTightened, "", text, "%s has the rule %s", now.FullName(), text)
		}
	}

	for i := range now.Oneofs().Len() {
		choice := now.Oneofs().Get(i)
		if was := old.Oneofs().ByName(choice.Name()); needed(choice) && (was == nil || !needed(was)) {
			s.changedf(protopos.Of(choice), RequestFieldRequired, "optional", "required",
				"one of %s of %s must be given", choice.Name(), now.FullName())
		}
	}
}

func needed(choice protoreflect.OneofDescriptor) bool {
	rules, _ := proto.GetExtension(choice.Options(), validate.E_Oneof).(*validate.OneofRules)

	return rules.GetRequired()
}

// texts are the rules of a message, each as a text.
func texts(rules *validate.MessageRules) []string {
	out := make([]string, 0, len(rules.GetCel())+len(rules.GetCelExpression())+len(rules.GetOneof()))

	for _, rule := range rules.GetCel() {
		out = append(out, rule.GetExpression())
	}

	out = append(out, rules.GetCelExpression()...)

	for _, choice := range rules.GetOneof() {
		text := "oneof " + strings.Join(choice.GetFields(), ", ")
		if choice.GetRequired() {
			text += ", required"
		}

		out = append(out, text)
	}

	return out
}

func fieldRules(field protoreflect.FieldDescriptor) *validate.FieldRules {
	rules, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)

	return rules
}

// leaf is the value of one rule.
type leaf struct {
	text string
	// number is its size, if it has one, and whole is set if it is an integer.
	number float64
	whole  bool
	// items are those of a list.
	items []string
}

// flat are the rules by their paths, "string.max_len".
func flat(rules *validate.FieldRules) map[string]leaf {
	out := map[string]leaf{}
	if rules != nil {
		flatten(out, "", rules.ProtoReflect())
	}

	return out
}

func flatten(out map[string]leaf, prefix string, message protoreflect.Message) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		path := prefix + string(field.Name())

		switch {
		case field.Name() == "example":
			// It is documentation.
		case field.IsList():
			l := leaf{}
			for i := range value.List().Len() {
				l.items = append(l.items, itemText(field, value.List().Get(i)))
			}

			l.text = strings.Join(l.items, ", ")
			out[path] = l
		case field.Message() != nil && !isTime(field.Message()):
			flatten(out, path+".", value.Message())
		default:
			out[path] = leafOf(field, value)
		}

		return true
	})
}

func itemText(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	if rule, ok := value.Interface().(protoreflect.Message); ok && field.Message() != nil {
		if rule, ok := rule.Interface().(*validate.Rule); ok {
			return rule.GetExpression()
		}
	}

	return leafOf(field, value).text
}

func isTime(message protoreflect.MessageDescriptor) bool {
	return message.FullName() == "google.protobuf.Duration" || message.FullName() == "google.protobuf.Timestamp"
}

func leafOf(field protoreflect.FieldDescriptor, value protoreflect.Value) leaf {
	switch v := value.Interface().(type) {
	case int32, int64:
		return leaf{text: value.String(), number: float64(value.Int()), whole: true}
	case uint32, uint64:
		return leaf{text: value.String(), number: float64(value.Uint()), whole: true}
	case float32, float64:
		return leaf{text: value.String(), number: value.Float()}
	case protoreflect.EnumNumber:
		return leaf{text: string(field.Enum().Values().ByNumber(v).Name()), number: float64(v), whole: true}
	case protoreflect.Message:
		return timeLeaf(v)
	case string:
		return leaf{text: fmt.Sprintf("%q", v)}
	default:
		return leaf{text: value.String()}
	}
}

// timeLeaf is a duration or a time, in seconds.
func timeLeaf(m protoreflect.Message) leaf {
	const nano = 1e-9

	fields := m.Descriptor().Fields()
	number := float64(m.Get(fields.ByName("seconds")).Int()) + nano*float64(m.Get(fields.ByName("nanos")).Int())

	return leaf{text: fmt.Sprintf("%gs", number), number: number}
}

// tightened reports whether a rule that is new or has another value allows less than those before.
func tightened(path string, before map[string]leaf, is leaf) bool {
	parent, name := "", path
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		parent, name = path[:i+1], path[i+1:]
	}

	was, had := before[path]
	lacks := func(from []string) func(string) bool {
		return func(item string) bool { return !slices.Contains(from, item) }
	}

	switch name {
	case "lt", "lte", "gt", "gte":
		return boundTightened(before, parent, name, is)
	case "max_len", "max_bytes", "max_items", "max_pairs", "within":
		return !had || is.number < was.number
	case "min_len", "min_bytes", "min_items", "min_pairs":
		return is.number > was.number
	case "in":
		return !had || slices.ContainsFunc(was.items, lacks(is.items))
	case "not_in", "cel", "cel_expression":
		return slices.ContainsFunc(is.items, lacks(was.items))
	case "ignore":
		return false
	default:
		// Whatever else is set allows only some; which of two allows less is not for a program to say.
		return is.text != "false"
	}
}

// boundTightened reports whether a bound is stricter than before, or new.
func boundTightened(before map[string]leaf, parent, name string, is leaf) bool {
	old, wasOpen, had := bound(before, parent, name)
	now, isOpen, _ := bound(map[string]leaf{parent + name: is}, parent, name)

	return !had || now < old || now == old && isOpen && !wasOpen
}

// bound returns the bound of the kind of a rule, "lt" or "lte" or else "gt" or "gte": the less, the fewer values are allowed. It is
// open if the value itself is not allowed.
func bound(rules map[string]leaf, parent, name string) (number float64, open, ok bool) {
	sign, kind := 1.0, name[:2]
	if kind == "gt" {
		sign = -1
	}

	if l, ok := rules[parent+kind]; ok {
		if l.whole {
			return sign*l.number - 1, false, true
		}

		return sign * l.number, true, true
	}

	l, ok := rules[parent+kind+"e"]

	return sign * l.number, false, ok
}
