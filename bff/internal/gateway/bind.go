package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"buf.build/go/protovalidate"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
	"github.com/portico-gateway/portico/bff/internal/upstream/passthrough"
)

// Registration registers the generated handlers of some services.
type Registration struct {
	// Services are their full names, in any order.
	Services []string
	// DefaultPolicy is the name of the policy where neither methods nor Config.Defaults set one; see policy.Default.
	DefaultPolicy string
	// Register calls the generated Register…Handler functions.
	Register func(ctx context.Context, mux *runtime.ServeMux) error
}

// bindAll finds the generated handler of each route.
//
// Generated code registers its handlers on a mux, and there is no other way to get them. So each registration gets a mux of its
// own, on which nothing is ever matched: a middleware collects the handlers, and each is asked for its RPC. VerifyUnary and
// VerifyStream check on every call that a handler calls the RPC of its route.
func bindAll(ctx context.Context, registrations []Registration, routes []Route, config Config) error {
	type key struct{ rpc, method, template string }

	index := make(map[key]*Route, len(routes))
	for i, r := range routes {
		index[key{r.RPC, r.Method, r.Template.String()}] = &routes[i]
	}

	var faults []error

	codec := protojson.New(config.Settings.JSON)

	validator, err := newValidator(routes)
	if err != nil {
		return err
	}

	for _, reg := range registrations {
		mux, handlers, err := collect(ctx, reg, codec, config)
		if err != nil {
			faults = append(faults, err)
			continue
		}

		pairs, err := pairUp(reg, handlers, config.Rules)
		if err != nil {
			faults = append(faults, err)
			continue
		}

		for _, p := range pairs {
			r := p.route
			bound := index[key{r.RPC, r.Method, r.Template.String()}]
			bound.mux, bound.handler, bound.responseHeaders = mux, p.handler, config.ResponseHeaders
			bound.defaultTranslation = len(config.MuxOptions) == 0
			bound.ownWriter = rewrites(mux)
			bound.ownContext = bound.defaultTranslation && !config.Interceptors && !bound.ServerStream && !bound.ClientStream
			bound.wholeMessage = bound.defaultTranslation && bound.isWholeMessage()
			bound.passThrough = bound.wholeMessage && len(bound.taggedFields()) == 0
			bound.pages = pagesOf(bound.Route, config.Settings.JSON)

			if bound.binding, err = binding.Compile(r, binding.Config{
				Codec: codec, IgnoredParameters: config.Settings.Query.Ignored,
				AllowUnknown: bound.Policy.Effective.GetAllowUnknownFields(),
				Headers:      headerFields(bound.Policy), Validator: validator, Fields: bound.fields(codec),
			}); err != nil {
				faults = append(faults, fmt.Errorf("route %s of %s: %w", r, r.RPC, err))
			}
		}
	}

	return joinFaults("handlers", faults)
}

// newValidator compiles the buf.validate rules of all request messages, and of those in them.
func newValidator(routes []Route) (protovalidate.Validator, error) {
	requests := make([]protoreflect.MessageDescriptor, 0, len(routes))
	for _, r := range routes {
		requests = append(requests, r.Descriptor.Input())
	}

	messages := schema.Messages(requests...)

	validator, err := protovalidate.New(protovalidate.WithMessageDescriptors(messages...), protovalidate.WithDisableLazy())
	if err != nil {
		return nil, fmt.Errorf("validation rules: %w", err)
	}

	var faults []error

	// Only the first validation reports rules that do not compile.
	for _, message := range messages {
		if wrong := (*protovalidate.CompilationError)(nil); errors.As(validator.Validate(dynamicpb.NewMessage(message)), &wrong) {
			faults = append(faults, fmt.Errorf("%s: %w", message.FullName(), wrong))
		}
	}

	return validator, joinFaults("validation rules", faults)
}

func headerFields(p policy.Policy) []binding.Header {
	fields := make([]binding.Header, 0, len(p.Headers))
	for _, h := range p.Headers {
		fields = append(fields, binding.Header(h))
	}

	return fields
}

// VerifyUnary completes the request that a generated handler is about to send. It refuses one that is not valid or that the route's
// condition does not allow, and a call to another RPC than that of the route, which cannot happen.
func VerifyUnary(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	x, err := verify(ctx, method)
	if err != nil {
		return err
	}

	if x == nil {
		return invoke(ctx, method, req, reply, cc, opts...)
	}

	if x.route.ownContext {
		ctx = x.Context
	}

	if err := x.complete(ctx, req); err != nil {
		return err
	}

	opts = x.callOptions(opts)
	if err := invoke(ctx, method, req, reply, cc, opts...); err != nil {
		return err
	}

	if cached := x.route.Policy.Cache; cached != nil && len(cached.Tags) > 0 {
		names, complete := tagTexts(cached.Tags, req, reply)
		cache.Tag(ctx, names, complete)
	}

	for _, opt := range opts {
		switch opt := opt.(type) {
		case grpc.HeaderCallOption:
			x.headers(*opt.HeaderAddr)
			x.present(opt.HeaderAddr)
		case grpc.TrailerCallOption:
			x.present(opt.TrailerAddr)
		}
	}

	return nil
}

// callOptions returns those of the generated handler, as the route needs them. Only an embedding program may have grpc-gateway
// write trailers.
func (x *exchange) callOptions(generated []grpc.CallOption) []grpc.CallOption {
	opts := x.options[:0]

	for _, opt := range generated {
		if _, trailer := opt.(grpc.TrailerCallOption); !trailer || !x.route.defaultTranslation {
			opts = append(opts, opt)
		}
	}

	if x.route.passThrough {
		opts = append(opts, passthrough.Option())
	}

	return opts
}

// VerifyStream is VerifyUnary for streams.
func VerifyStream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
	open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	x, err := verify(ctx, method)
	if err != nil {
		return nil, err
	}

	if x == nil {
		return open(ctx, desc, cc, method, opts...)
	}

	return newLazyStream(ctx, x, func() (grpc.ClientStream, error) {
		return open(ctx, desc, cc, method, opts...)
	}), nil
}

// verify returns the exchange of a call that a generated handler makes, and refuses another RPC than that of the route. The legs of
// a composite have none, and may call any RPC.
func verify(ctx context.Context, method string) (*exchange, error) {
	// Only generated handlers set it.
	if _, generated := runtime.RPCMethod(ctx); !generated {
		return nil, nil //nolint:nilnil // There is none.
	}

	x, ok := exchangeFrom(ctx)
	if rec := reqinfo.From(ctx); !ok || rec.RPC != method {
		return nil, status.Errorf(codes.Internal, "handler of %s called %s", rec.RPC, method)
	}

	return x, nil
}

func pathParams(r *http.Request) pathtemplate.Values { return reqinfo.From(r.Context()).PathParams }
