package inproc

import (
	"github.com/fullstorydev/grpchan/inprocgrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// messages copies messages between caller and implementation: a request may change on one side while the other still reads it, when
// the call is cancelled.
type messages struct{ inprocgrpc.ProtoCloner }

func (c messages) Copy(out, in any) error {
	to, from, ok := sameType(out, in)
	if !ok {
		return c.ProtoCloner.Copy(out, in)
	}

	proto.Reset(to)
	proto.Merge(to, from)

	return nil
}

// sameType reports whether both are messages of the same type. The library handles others.
func sameType(a, b any) (first, second proto.Message, ok bool) {
	first, isFirst := a.(proto.Message)
	second, isSecond := b.(proto.Message)

	return first, second, isFirst && isSecond && first.ProtoReflect().Type() == second.ProtoReflect().Type()
}

// deliver makes the caller's message equal to the reply of a unary method. As with any gRPC server, the implementation must not
// change that any more, so that the caller's message shares its content.
func deliver(out, reply any) error {
	to, from, ok := sameType(out, reply)

	switch {
	case !ok && reply == nil, ok && !from.ProtoReflect().IsValid():
		return errNothing
	case !ok:
		return messages{}.Copy(out, reply)
	}

	proto.Reset(to)
	share(to.ProtoReflect(), from.ProtoReflect())

	return nil
}

// share sets the fields that are set in the other message, to the same values.
func share(to, from protoreflect.Message) {
	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.Set(field, value)
		return true
	})
	to.SetUnknown(from.GetUnknown())
}
