package batch

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
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
	callers

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
	// next makes calls to the upstream, over cc.
	next grpc.UnaryInvoker
	cc   *grpc.ClientConn
}

// call makes a call, and returns the encoded reply.
func (l *leg) call(ctx context.Context, rpc string, req, reply proto.Message) ([]byte, error) {
	proto.Reset(reply)

	if err := l.next(ctx, rpc, req, reply, l.cc, encodedReply...); err != nil {
		return nil, err
	}

	// What an interceptor of an embedding program replies, instead of the backend, has fields.
	raw, err := passthrough.Encoding(reply)
	if err != nil {
		return nil, status.Errorf(codes.Internal, "reply of %s: %v", rpc, err)
	}

	return slices.Clip(raw), nil
}

// encodedReply are the options of the calls that are made.
//
//nolint:gochecknoglobals // Constant.
var encodedReply = []grpc.CallOption{passthrough.Option()}
