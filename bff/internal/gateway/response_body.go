package gateway

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// part is a message with one field that is the answer, as response_body says. Generated code has a type of its own for that, unless
// it was not shown the field (protoc-gen-portico-gateway).
type part struct {
	proto.Message

	field protoreflect.FieldDescriptor
}

// selects reports whether generated code has taken the field out of the message.
func selects(message proto.Message) bool {
	_, ok := message.(interface{ XXX_ResponseBody() any })

	return ok
}

// XXX_ResponseBody is what grpc-gateway asks for the value of the field, as Go has it; nil if a field with presence is not set.
func (p part) XXX_ResponseBody() any { //nolint:revive // The name is grpc-gateway's.
	m := p.ProtoReflect()
	if p.field.HasPresence() && !m.Has(p.field) {
		return nil
	}

	switch value := m.Get(p.field); {
	case p.field.IsList():
		list := make([]any, value.List().Len())
		for i := range list {
			list[i] = goValue(p.field, value.List().Get(i))
		}

		return list
	case p.field.IsMap():
		entries := make(map[any]any, value.Map().Len())
		value.Map().Range(func(key protoreflect.MapKey, v protoreflect.Value) bool {
			entries[key.Interface()] = goValue(p.field.MapValue(), v)

			return true
		})

		return entries
	default:
		return goValue(p.field, value)
	}
}

// goValue is a single value of a field as Go has it.
func goValue(field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	switch {
	case field.Message() != nil:
		return value.Message().Interface()
	case field.Enum() != nil:
		if found, err := protoregistry.GlobalTypes.FindEnumByName(field.Enum().FullName()); err == nil {
			return found.New(value.Enum())
		}

		return int32(value.Enum())
	default:
		return value.Interface()
	}
}
