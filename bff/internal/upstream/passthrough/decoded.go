package passthrough

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Decoded is an interceptor by which calls are made with the reply of their method, decoded, even if the caller wants it encoded.
// It belongs before the interceptors of an embedding program: they may read the reply, and what they change counts.
func Decoded(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	message, isMessage := reply.(proto.Message)
	if !isMessage || !In(opts) {
		return invoke(ctx, method, req, reply, cc, opts...)
	}

	typed, known := replyOf(method)
	if !known {
		// Nobody can read it either.
		return invoke(ctx, method, req, reply, cc, opts...)
	}

	opts = slices.DeleteFunc(slices.Clone(opts), Is)
	if err := invoke(ctx, method, req, typed, cc, opts...); err != nil {
		return err
	}

	encoded, err := Encoding(typed)
	if err != nil {
		return status.Errorf(codes.Internal, "encode the reply of %s: %v", method, err)
	}

	return Deliver(method, encoded, message, true)
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
