package gateway

import (
	"context"
	"fmt"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/route"
)

// Registration registers the generated handlers of some services.
type Registration struct {
	// Services are their full names, in the order in which Register registers them.
	Services []string
	// Register calls the generated Register…Handler functions.
	Register func(ctx context.Context, mux *runtime.ServeMux) error
}

// bindAll finds the generated handler of each route.
//
// Generated code puts its handlers on a mux, in the order of the descriptors, and there is no other way to get at them. So each
// registration gets a mux of its own, on which nothing is ever matched: a middleware collects the handlers, and the router gets
// them together with their policy, in an order of its own. That a handler really calls the RPC of its route is checked again on
// every call, by VerifyUnary and VerifyStream.
func bindAll(ctx context.Context, registrations []Registration, routes []Route, config Config) error {
	type key struct{ rpc, method, template string }

	index := make(map[key]*Route, len(routes))
	for i, r := range routes {
		index[key{r.RPC, r.Method, r.Template.String()}] = &routes[i]
	}

	var faults []error

	for _, reg := range registrations {
		handlers, err := collect(ctx, reg, config)
		if err != nil {
			faults = append(faults, err)

			continue
		}

		declared, err := declaredRoutes(reg)
		if err != nil {
			return err
		}

		if len(handlers) != len(declared) {
			faults = append(faults, fmt.Errorf("%q register %d handlers, but their descriptors declare %d routes",
				reg.Services, len(handlers), len(declared)))

			continue
		}

		for i, r := range declared {
			index[key{r.RPC, r.Method, r.Template.String()}].handler = handlers[i]
		}
	}

	return joinFaults("handlers", faults)
}

func declaredRoutes(reg Registration) ([]route.Route, error) {
	var declared []route.Route

	for _, service := range reg.Services {
		routes, err := routesOf(service)
		if err != nil {
			return nil, err
		}

		declared = append(declared, routes...)
	}

	return declared, nil
}

// collect returns the handlers of a registration in the order in which they are registered.
func collect(ctx context.Context, reg Registration, config Config) ([]runtime.HandlerFunc, error) {
	var handlers []runtime.HandlerFunc

	catch := runtime.WithMiddlewares(func(next runtime.HandlerFunc) runtime.HandlerFunc {
		handlers = append(handlers, next)

		return next
	})

	mux := newTranslator(config.ResponseHeader, append([]runtime.ServeMuxOption{catch}, config.MuxOptions...))
	// Options may have put handlers of their own on it.
	handlers = nil

	if err := reg.Register(ctx, mux); err != nil {
		return nil, fmt.Errorf("register %q: %w", reg.Services, err)
	}

	return handlers, nil
}

// VerifyUnary is the last look at what a generated handler is about to send. It refuses a call to another RPC than the one whose
// policy let the request through, which cannot happen, and a request that the route's condition does not allow.
func VerifyUnary(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if generated, err := verify(ctx, method); err != nil {
		return err
	} else if generated {
		if err := checkCondition(ctx, req); err != nil {
			return err
		}
	}

	return invoke(ctx, method, req, reply, cc, opts...)
}

// VerifyStream is VerifyUnary for streams.
func VerifyStream(
	ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
	open grpc.Streamer, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	generated, err := verify(ctx, method)
	if err != nil {
		return nil, err
	}

	if generated && ctx.Value(conditionKey{}) != nil {
		return &conditionalStream{ctx: ctx, open: func() (grpc.ClientStream, error) {
			return open(ctx, desc, cc, method, opts...)
		}}, nil
	}

	return open(ctx, desc, cc, method, opts...)
}

// verify tells whether a generated handler makes the call, and refuses another RPC than that of the route.
func verify(ctx context.Context, method string) (bool, error) {
	// Only generated handlers set it; the legs of a composite call what they like.
	if _, generated := runtime.RPCMethod(ctx); !generated {
		return false, nil
	}

	if rec := reqinfo.From(ctx); rec.RPC != method {
		return true, status.Errorf(codes.Internal, "handler of %s called %s", rec.RPC, method)
	}

	return true, nil
}

func pathParams(r *http.Request) map[string]string { return reqinfo.From(r.Context()).PathParams }
