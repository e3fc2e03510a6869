package gateway

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Unary is what every unary call passes first, be it for a route or a leg of a composite: VerifyUnary, and then, when the call has
// changed what kept answers are made of, these are made obsolete before anyone is told that it has.
func Unary(routes []Route, kept *cache.Cache) grpc.UnaryClientInterceptor {
	changes := map[string]grpc.UnaryClientInterceptor{}

	for _, r := range routes {
		if len(r.Policy.Invalidates) > 0 {
			changes[r.RPC] = invalidate(r.Policy, kept)
		}
	}

	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		changed, ok := changes[method]
		if !ok {
			return VerifyUnary(ctx, method, req, reply, cc, invoke, opts...)
		}

		verified := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
			return changed(ctx, method, req, reply, cc, invoke, opts...)
		}

		return VerifyUnary(ctx, method, req, reply, cc, verified, opts...)
	}
}

func invalidate(change policy.Policy, kept *cache.Cache) grpc.UnaryClientInterceptor {
	return func(
		ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
	) error {
		err := invoke(ctx, method, req, reply, cc, opts...)

		// What refuses a call that was made again may be what the first one has done.
		if err != nil && refused(status.Code(err)) && change.Retry == nil {
			return err
		}

		if err != nil {
			// What came back says nothing.
			reply = nil
		}

		names, complete := texts(change.Invalidates, req, reply)
		if failed := kept.Invalidate(ctx, names); failed != nil {
			note(ctx, fmt.Errorf("%s: %w", method, failed))
		}

		if !complete {
			note(ctx, fmt.Errorf("%s: a tag has no value, so that its answers stay until their ttl is over", method))
		}

		return err
	}
}

// note is for the log: the call has ended as it has.
func note(ctx context.Context, cause error) {
	rec := reqinfo.From(ctx)
	code, _ := rec.Outcome()
	rec.Fail(code, cause)
}

// refused reports whether a call that ended with this code has changed nothing. Of others one cannot know.
func refused(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.ResourceExhausted,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented, codes.Unauthenticated:
		return true
	default:
		return false
	}
}

// texts are the tags of a call. They are not complete if one has no value.
func texts(tags []policy.Tag, req, reply any) (names []string, complete bool) {
	request, ok := req.(proto.Message)
	if !ok {
		return nil, false
	}

	var response protoreflect.Message
	if message, ok := reply.(proto.Message); ok {
		response = message.ProtoReflect()
	}

	names, complete = make([]string, 0, len(tags)), true

	for _, tag := range tags {
		name, ok := tag.Text(request.ProtoReflect(), response)
		if !ok {
			complete = false

			continue
		}

		names = append(names, name)
	}

	return names, complete
}
