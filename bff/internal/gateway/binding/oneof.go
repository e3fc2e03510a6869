package binding

import (
	"slices"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// oneof returns the members of the oneof that a violation is about, of protobuf or of a rule (buf.validate.message).oneof, and what
// the request has to set. Any other violation has none.
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

// held returns the message that a path leads to. Nil: it leads to none.
func held(message protoreflect.MessageDescriptor, path []*validate.FieldPathElement) protoreflect.MessageDescriptor {
	for _, element := range path {
		_, message = child(message, element)
	}

	return message
}

// child returns the field that an element of a path names, and the message that it holds. Either may be nil.
func child(
	message protoreflect.MessageDescriptor, element *validate.FieldPathElement,
) (field protoreflect.FieldDescriptor, held protoreflect.MessageDescriptor) {
	if message == nil {
		return nil, nil
	}

	field = message.Fields().ByNumber(protoreflect.FieldNumber(element.GetFieldNumber()))

	switch {
	case field == nil:
		return nil, nil
	case field.IsMap():
		return field, field.MapValue().Message()
	default:
		return field, field.Message()
	}
}

// ruledMembers returns the fields of the rule of a message that was violated, and what has to be set.
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

// isAbout reports whether the text of a violation is that of the rule, which only its fields identify.
func isAbout(text string, r *validate.MessageOneofRule) bool {
	return strings.Contains(text, "one of "+strings.Join(r.GetFields(), ", ")+" ")
}

// listed joins the names of fields in JSON.
func listed(fields []protoreflect.FieldDescriptor) string {
	names := make([]string, 0, len(fields))
	for _, field := range fields {
		names = append(names, field.JSONName())
	}

	return strings.Join(names, ", ")
}
