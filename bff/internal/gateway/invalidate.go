package gateway

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// Calls returns what every call passes first, for a route or for a leg of a composite: VerifyUnary or VerifyStream, and then, if
// the call may have changed what responses are made of, their invalidation.
func Calls(
	routes []Route, methods map[string]*policy.Method, responses *cache.Cache,
) (grpc.UnaryClientInterceptor, grpc.StreamClientInterceptor) {
	reads := safeMethods(routes)

	return func(
			ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
			invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
		) error {
			if m := methods[method]; m != nil && len(m.Policy.Invalidates) > 0 {
				invoke = invalidating(m.Policy, responses, invoke)
			}

			if !reads[method] {
				defer responses.Wrote()
			}

			return VerifyUnary(ctx, method, req, reply, cc, invoke, opts...)
		}, func(
			ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
			open grpc.Streamer, opts ...grpc.CallOption,
		) (grpc.ClientStream, error) {
			stream, err := VerifyStream(ctx, desc, cc, method, open, opts...)
			if err != nil {
				return nil, err
			}

			return tellingStream{stream, responses.Wrote}, nil
		}
}

// safeMethods are the methods that change nothing: those without side effects, and those whose routes are all GET, which is safe
// (RFC 9110, section 9.2.1).
func safeMethods(routes []Route) map[string]bool {
	safe := map[string]bool{}

	for _, r := range routes {
		others, known := safe[r.RPC]
		safe[r.RPC] = r.Method == http.MethodGet && (others || !known)
	}

	for method := range schema.LinkedMethods() {
		if schema.ReadOnly(method) {
			safe[schema.FullMethod(method)] = true
		}
	}

	return safe
}

// tellingStream is a stream. Each message that it receives may acknowledge a change, or tell of one, and a client that asks
// afterwards must get it.
type tellingStream struct {
	grpc.ClientStream

	wrote func()
}

// RecvMsg implements grpc.ClientStream.
func (s tellingStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	s.wrote()

	return err
}

// invalidating invalidates cached responses when the call has ended, before the client gets to know.
func invalidating(changes policy.Policy, responses *cache.Cache, invoke grpc.UnaryInvoker) grpc.UnaryInvoker {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, opts ...grpc.CallOption) error {
		err := invoke(ctx, method, req, reply, cc, opts...)
		if err != nil {
			// A retry may have been refused because of what the first call has done.
			if refused(status.Code(err)) && changes.Retry == nil {
				return err
			}

			reply = nil
		}

		names, complete := tagTexts(changes.Invalidates, req, reply)
		if failed := responses.Invalidate(ctx, names); failed != nil {
			logCause(ctx, fmt.Errorf("%s: %w", method, failed))
		}

		if !complete {
			logCause(ctx, fmt.Errorf("%s: a tag has no value, so that its responses stay until their ttl is over", method))
		}

		return err
	}
}

// logCause sets a cause for the log without changing the code of the call.
func logCause(ctx context.Context, cause error) {
	rec := reqinfo.From(ctx)
	code, _ := rec.Outcome()
	rec.Fail(code, cause)
}

// refused reports whether a call that ended with this code has certainly changed nothing.
func refused(code codes.Code) bool {
	switch code {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.ResourceExhausted,
		codes.FailedPrecondition, codes.OutOfRange, codes.Unimplemented, codes.Unauthenticated:
		return true
	default:
		return false
	}
}

// tagTexts returns the tags of a call. They are not complete if one has no value.
func tagTexts(tags []policy.Tag, req, reply any) (names []string, complete bool) {
	request, ok := req.(proto.Message)
	if !ok {
		return nil, false
	}

	var response protoreflect.Message
	if message, ok := reply.(proto.Message); ok {
		response = message.ProtoReflect()
	}

	return policy.TagTexts(tags, request.ProtoReflect(), response)
}
