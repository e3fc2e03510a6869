package batch

import (
	"context"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/singleflight"
)

// key identifies identical calls of a request.
type key struct {
	layer   *layer
	rpc     string
	request string
}

// call is one that all who make it wait for. It is guarded by the lock of calls, but for the result, which is not changed.
type call struct {
	key
	singleflight.Call

	// batch is that which the call was put into. Nil: it is made alone, and fallback reports that this is because a batch has
	// failed.
	batch    *batch
	fallback bool
	// led reports that one of its callers makes it, or the batch.
	led bool

	finished bool
	raw      []byte
	err      error
}

// leg is a call as one of its callers makes it.
type leg struct {
	method     *method
	req, reply proto.Message
	// encoded is the request.
	encoded []byte
	invoke  invoke
}

// invoke makes a call of the method to the upstream. The reply may be encoded among the unknown fields of the message.
type invoke func(ctx context.Context, rpc string, req, reply proto.Message) error

// encoding returns the encoded reply of a call.
func (i invoke) encoding(ctx context.Context, rpc string, req, reply proto.Message) ([]byte, error) {
	proto.Reset(reply)

	if err := i(ctx, rpc, req, reply); err != nil {
		return nil, err
	}

	// What an interceptor of an embedding program replies, instead of the backend, has fields.
	if unknown := reply.ProtoReflect().GetUnknown(); len(unknown) == proto.Size(reply) {
		return slices.Clip([]byte(unknown)), nil
	}

	raw, err := proto.Marshal(reply)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "reply of %s: %v", rpc, err)
	}

	return raw, nil
}
