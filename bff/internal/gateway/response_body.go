package gateway

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// part is a message and the field of it that is the response (response_body). Generated code has a type of its own for that, unless
// it does not know the field (protoc-gen-portico-gateway).
type part struct {
	proto.Message

	field protoreflect.FieldDescriptor
}

// selects reports whether generated code has selected the field of the message.
func selects(message proto.Message) bool {
	_, ok := message.(interface{ XXX_ResponseBody() any })
	return ok
}

// XXX_ResponseBody returns the Go value of the field to grpc-gateway; nil if a field with presence is not set.
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

// goValue returns the Go value of a field, or of an element or entry of it.
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
