package inproc

import (
	"github.com/fullstorydev/grpchan/inprocgrpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// answer is the message that an implementation of a unary method has returned. As with any gRPC server, it may not change it any
// more, so that the caller's message may share what is in it.
type answer struct{ proto.Message }

// messages copies messages between caller and implementation. Only an answer is not copied in depth: a request may change on one
// side while the other still reads it, when the call is given up.
type messages struct{ inprocgrpc.ProtoCloner }

// Copy is called by the channel.
func (c messages) Copy(out, in any) error {
	given, isAnswer := in.(answer)
	if isAnswer {
		in = given.Message
	}

	from, ok := in.(proto.Message)
	to, same := out.(proto.Message)

	// What the two are if they are not of the same type is for the library to find out.
	if !ok || !same || from.ProtoReflect().Type() != to.ProtoReflect().Type() {
		return c.ProtoCloner.Copy(out, in)
	}

	proto.Reset(to)

	if isAnswer {
		share(to.ProtoReflect(), from.ProtoReflect())
	} else {
		proto.Merge(to, from)
	}

	return nil
}

// share sets what is set in the other message, to the same values.
func share(to, from protoreflect.Message) {
	from.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		to.Set(field, value)

		return true
	})
	to.SetUnknown(from.GetUnknown())
}
