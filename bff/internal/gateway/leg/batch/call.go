package batch

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// invoke makes a call of the method to the upstream. The reply may be encoded among the unknown fields of the message.
type invoke func(ctx context.Context, rpc string, req, reply proto.Message) error

// key identifies identical calls of a request.
type key struct {
	layer   *layer
	rpc     string
	request string
}

// call is one that all who make it wait for.
type call struct {
	key

	method *method
	invoke invoke
	// encoded is the request.
	encoded []byte
	// requestType and replyType are those of the messages of the first caller.
	requestType, replyType protoreflect.MessageType
	// batch is that which the call was put into. Nil: it is made alone.
	batch *batch

	// done is closed when raw and err are set.
	done chan struct{}
	raw  []byte
	err  error

	// The rest is guarded by the lock of calls.

	// work is the context of the call, own where it is made alone.
	work     *work
	own      work
	waiters  int
	finished bool
}

// message returns a new message with the request.
func (c *call) message() (proto.Message, error) {
	request := c.requestType.New().Interface()
	if err := proto.Unmarshal(c.encoded, request); err != nil {
		return nil, status.Errorf(codes.Internal, "request of %s: %v", c.rpc, err)
	}

	return request, nil
}

// make makes the call, and returns the encoded reply.
func (c *call) make(ctx context.Context) ([]byte, error) {
	request, err := c.message()
	if err != nil {
		return nil, err
	}

	return c.invoke.raw(ctx, c.rpc, request, c.replyType)
}

// raw returns the encoded reply of a call. A panic of an interceptor is an error: it would end the process on a goroutine that is
// not a caller's.
func (i invoke) raw(ctx context.Context, rpc string, req proto.Message, reply protoreflect.MessageType) (raw []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = problem.WithCause(status.New(codes.Internal, "panic"), fmt.Errorf("%s panicked: %v\n%s", rpc, v, debug.Stack()))
		}
	}()

	message := reply.New().Interface()
	if err := i(ctx, rpc, req, message); err != nil {
		return nil, err
	}

	// What an interceptor of an embedding program replies, instead of the backend, has fields.
	if unknown := message.ProtoReflect().GetUnknown(); len(unknown) == proto.Size(message) {
		return slices.Clip([]byte(unknown)), nil
	}

	if raw, err = proto.Marshal(message); err != nil {
		return nil, status.Errorf(codes.Internal, "reply of %s: %v", rpc, err)
	}

	return slices.Clip(raw), nil
}
