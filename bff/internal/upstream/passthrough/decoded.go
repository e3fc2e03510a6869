package leg

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// Decoded is an interceptor for Conn by which calls are made with the reply of their method, decoded, even if the caller wants it
// encoded: the interceptors of an embedding program may read it, and what they change counts.
func Decoded(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	message, isMessage := reply.(proto.Message)
	if !isMessage || !passthrough.In(opts) {
		return invoke(ctx, method, req, reply, cc, opts...)
	}

	typed, known := replyOf(method)
	if !known {
		// Nobody can read it either.
		return invoke(ctx, method, req, reply, cc, opts...)
	}

	opts = slices.DeleteFunc(slices.Clone(opts), passthrough.Is)
	if err := invoke(ctx, method, req, typed, cc, opts...); err != nil {
		return err
	}

	encoded, err := proto.Marshal(typed)
	if err != nil {
		return status.Errorf(codes.Internal, "encode the reply of %s: %v", method, err)
	}

	proto.Reset(message)
	message.ProtoReflect().SetUnknown(encoded)

	return nil
}

// replyOf returns a new reply of a method, if that is linked into the program.
func replyOf(method string) (reply proto.Message, known bool) {
	described, known := schema.LinkedMethod(method)
	if !known {
		return nil, false
	}

	found, err := protoregistry.GlobalTypes.FindMessageByName(described.Output().FullName())
	if err != nil {
		return nil, false
	}

	return found.New().Interface(), true
}
