// Package required finds the fields that clients have to give, by asking the rules themselves.
package required

import (
	"errors"
	"fmt"
	"slices"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Fields are those without which a message breaks its buf.validate rules: the ones that an empty message is told of. The error
// tells of rules that do not compile. A validator knows messages by their names, so two versions of a message need two of them.
func Fields(
	validator protovalidate.Validator, message protoreflect.MessageDescriptor,
) ([]protoreflect.FieldDescriptor, error) {
	err := validator.Validate(dynamicpb.NewMessage(message))
	if err == nil {
		return nil, nil
	}

	broken := (*protovalidate.ValidationError)(nil)
	if !errors.As(err, &broken) {
		return nil, fmt.Errorf("rules of %s: %w", message.FullName(), err)
	}

	var fields []protoreflect.FieldDescriptor

	for _, violation := range broken.Violations {
		path := violation.Proto.GetField().GetElements()
		if len(path) != 1 {
			continue
		}

		field := message.Fields().ByNumber(protoreflect.FieldNumber(path[0].GetFieldNumber()))
		if field != nil && !slices.Contains(fields, field) {
			fields = append(fields, field)
		}
	}

	return fields, nil
}
