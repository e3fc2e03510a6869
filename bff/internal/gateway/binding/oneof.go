package binding

import (
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// oneof says what a request has to set if a violation with this path is about a oneof, of protobuf or of a rule
// (buf.validate.message).oneof, and returns the members. Any other violation has none.
func (b *Binding) oneof(
	path []*validate.FieldPathElement, violation *validate.Violation,
) (members []protoreflect.FieldDescriptor, reason string) {
	if violation.GetRuleId() == oneofRule {
		return ruledMembers(held(b.input, path), violation.GetMessage())
	}

	if len(path) == 0 || path[len(path)-1].GetFieldNumber() != 0 {
		return nil, ""
	}

	message, last := held(b.input, path[:len(path)-1]), path[len(path)-1]
	if message == nil {
		return nil, ""
	}

	oneof := message.Oneofs().ByName(protoreflect.Name(last.GetFieldName()))
	if oneof == nil {
		return nil, ""
	}

	for i := range oneof.Fields().Len() {
		members = append(members, oneof.Fields().Get(i))
	}

	return members, "set one of " + listed(members)
}

// held is the message that a path leads to. Nil: it leads to none.
func held(message protoreflect.MessageDescriptor, path []*validate.FieldPathElement) protoreflect.MessageDescriptor {
	for _, element := range path {
		field := message.Fields().ByNumber(protoreflect.FieldNumber(element.GetFieldNumber()))
		if field == nil {
			return nil
		}

		if field.IsMap() {
			field = field.MapValue()
		}

		if message = field.Message(); message == nil {
			return nil
		}
	}

	return message
}

// ruledMembers are the fields of the rule of a message that a violation comes from, and what has to be set of them.
func ruledMembers(message protoreflect.MessageDescriptor, text string) (members []protoreflect.FieldDescriptor, reason string) {
	if message == nil {
		return nil, ""
	}

	rules, err := protovalidate.ResolveMessageRules(message)
	if err != nil {
		return nil, ""
	}

	i := slices.IndexFunc(rules.GetOneof(), func(r *validate.MessageOneofRule) bool { return isAbout(text, r) })
	if i < 0 {
		return nil, ""
	}

	for _, name := range rules.GetOneof()[i].GetFields() {
		if field := message.Fields().ByName(protoreflect.Name(name)); field != nil {
			members = append(members, field)
		}
	}

	if strings.HasPrefix(text, "only ") {
		return members, "set only one of " + listed(members)
	}

	return members, "set one of " + listed(members)
}

// isAbout reports whether the text of a violation is that of the rule. Rules have nothing but their fields to tell them apart.
func isAbout(text string, r *validate.MessageOneofRule) bool {
	return strings.Contains(text, "one of "+strings.Join(r.GetFields(), ", ")+" ")
}

// listed are the names of fields in JSON.
func listed(fields []protoreflect.FieldDescriptor) string {
	names := make([]string, 0, len(fields))
	for _, field := range fields {
		names = append(names, field.JSONName())
	}

	return strings.Join(names, ", ")
}
