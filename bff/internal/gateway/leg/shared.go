package leg

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// Sharer gives several callers of a method the same reply. It is safe for concurrent use.
type Sharer interface {
	// Do returns the encoded reply to a request: that of the call, which it may make with a copy of the request and on another
	// goroutine, or that of another call. The reply is not changed.
	Do(
		ctx context.Context, request proto.Message, call func(ctx context.Context, request proto.Message) ([]byte, error),
	) ([]byte, error)
}

// encodedReply are the options of the calls that are made.
//
//nolint:gochecknoglobals // Constant.
var encodedReply = []grpc.CallOption{grpc.StaticMethod(), passthrough.Option()}

// Shared returns an interceptor by which callers of some methods share replies, each as a message of its own. Calls with other
// options than those of generated code and passthrough.Option do not share: the options may want more than the reply.
func Shared(methods map[string]Sharer) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		sharer, shared := methods[method]
		request, isRequest := req.(proto.Message)
		message, isReply := reply.(proto.Message)
		encoded, plain := wanted(opts)

		if !shared || !isRequest || !isReply || !plain {
			return invoke(ctx, method, req, reply, cc, opts...)
		}

		data, err := sharer.Do(ctx, request, func(ctx context.Context, request proto.Message) ([]byte, error) {
			var reply emptypb.Empty
			if err := invoke(ctx, method, request, &reply, cc, encodedReply...); err != nil {
				return nil, err
			}

			return reply.ProtoReflect().GetUnknown(), nil
		})
		if err != nil {
			return err
		}

		return passthrough.Deliver(method, data, message, encoded)
	}
}

// wanted reports whether a caller wants the reply encoded, and whether that or the reply is all that it wants.
func wanted(opts []grpc.CallOption) (encoded, plain bool) {
	others := 0

	for _, opt := range opts {
		// Generated code sets it.
		if _, static := opt.(grpc.StaticMethodCallOption); !static {
			others++
		}
	}

	encoded = passthrough.In(opts)

	return encoded, others == 0 || others == 1 && encoded
}
