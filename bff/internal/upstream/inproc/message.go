package inproc

import (
	"github.com/fullstorydev/grpchan/inprocgrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// reply is the message that an implementation of a unary method has returned. As with any gRPC server, it must not change it any
// more, so that the caller's message may share its content.
type reply struct{ proto.Message }

// messages copies messages between caller and implementation. Only a reply is copied shallowly: a request may change on one side
// while the other still reads it, when the call is cancelled.
type messages struct{ inprocgrpc.ProtoCloner }

func (c messages) Copy(out, in any) error {
	replied, isReply := in.(reply)
	if isReply {
		in = replied.Message
	}

	from, ok := in.(proto.Message)
	to, same := out.(proto.Message)

	// The library handles messages of different types.
	if !ok || !same || from.ProtoReflect().Type() != to.ProtoReflect().Type() {
		return c.ProtoCloner.Copy(out, in)
	}

	proto.Reset(to)

	if isReply {
		share(to.ProtoReflect(), from.ProtoReflect())
	} else {
		proto.Merge(to, from)
	}

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
