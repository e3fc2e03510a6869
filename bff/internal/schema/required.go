package schema

import (
	"errors"
	"fmt"
	"slices"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// RequiredFields are those without which a message is refused: the required fields of proto2, LEGACY_REQUIRED in editions, and
// those whose buf.validate rules an empty message breaks. google.api.field_behavior = REQUIRED says what a backend wants, and is
// not enforced. The error is about rules that do not compile. A validator knows messages by their names, so two versions of a
// message need two of them.
func RequiredFields(
	validator protovalidate.Validator, message protoreflect.MessageDescriptor,
) ([]protoreflect.FieldDescriptor, error) {
	fields := LabelledFields(message)

	err := validator.Validate(dynamicpb.NewMessage(message))
	if err == nil {
		return fields, nil
	}

	broken := (*protovalidate.ValidationError)(nil)
	if !errors.As(err, &broken) {
		return nil, fmt.Errorf("rules of %s: %w", message.FullName(), err)
	}

	for _, violation := range broken.Violations {
		path := violation.Proto.GetField().GetElements()
		if len(path) != 1 {
			continue
		}

		field := message.Fields().ByNumber(protoreflect.FieldNumber(path[0].GetFieldNumber()))
		if field == nil {
			field = onlyMember(message.Oneofs().ByName(protoreflect.Name(path[0].GetFieldName())))
		}

		if field != nil && !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}

	return fields, nil
}

// onlyMember is the member of a oneof that has no other. Nil: there is none.
func onlyMember(oneof protoreflect.OneofDescriptor) protoreflect.FieldDescriptor {
	if oneof == nil || oneof.Fields().Len() != 1 {
		return nil
	}

	return oneof.Fields().Get(0)
}

// LabelledFields are the fields that protobuf itself requires, in requests and responses alike.
func LabelledFields(message protoreflect.MessageDescriptor) []protoreflect.FieldDescriptor {
	var fields []protoreflect.FieldDescriptor

	for field := range All(message.Fields()) {
		if field.Cardinality() == protoreflect.Required {
			fields = append(fields, field)
		}
	}

	return fields
}
