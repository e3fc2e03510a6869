package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/response"
	"github.com/portico-gateway/portico/bff/internal/schema"
)

// generated is a handler that generated code has registered on a mux.
type generated struct {
	// handler has the middlewares of an embedding program around it.
	handler runtime.HandlerFunc
	// rpc is the full method that it calls. Empty: it is not a generated handler, or one of another mux; fault is its panic, if it
	// had one.
	rpc, fault string
}

// collect returns the mux and the handlers of a registration, in order.
func collect(ctx context.Context, reg Registration, codec *protojson.Codec, config Config) (*runtime.ServeMux, []generated, error) {
	var outer, inner []runtime.HandlerFunc

	options := []runtime.ServeMuxOption{into(&outer), runtime.WithMetadata(probeRPC)}
	options = append(append(options, config.MuxOptions...), into(&inner))
	mux := newTranslator(codec, options)
	// Options may have put handlers of their own on it.
	outer, inner = nil, nil

	if err := reg.Register(ctx, mux); err != nil {
		return nil, nil, fmt.Errorf("register %q: %w", reg.Services, err)
	}

	handlers := make([]generated, len(outer))
	for i := range outer {
		rpc, fault := rpcOf(inner[i])
		handlers[i] = generated{handler: outer[i], rpc: rpc, fault: fault}
	}

	// The handlers use this mux for requests, now without what was added to find them.
	*mux = *newTranslator(codec, config.MuxOptions)

	return mux, handlers, nil
}

// into is a middleware that collects what it is put around.
func into(handlers *[]runtime.HandlerFunc) runtime.ServeMuxOption {
	return runtime.WithMiddlewares(func(next runtime.HandlerFunc) runtime.HandlerFunc {
		*handlers = append(*handlers, next)
		return next
	})
}

// probe is the context value of a request that is made to find out which RPC a generated handler calls.
type probe struct{ rpc string }

type probeKey struct{}

// rpcOf runs a generated handler until it names the RPC that it calls, before it reads the request. If it is not a generated one,
// it may panic, which is the fault.
func rpcOf(handler runtime.HandlerFunc) (rpc, fault string) {
	p := &probe{}

	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), probeKey{}, p))
	// So that nothing waits.
	cancel()

	req := &http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{}, Body: http.NoBody}
	if recovered := panicOf(handler, req.WithContext(ctx)); recovered != nil && recovered != any(p) {
		fault = fmt.Sprint(recovered)
	}

	return p.rpc, fault
}

// panicOf returns what the handler panics with; nil if it returns.
func panicOf(handler runtime.HandlerFunc, req *http.Request) (recovered any) {
	defer func() { recovered = recover() }()

	handler(response.Record(nil, 0), req, map[string]string{})

	return nil
}

// probeRPC ends a probe. Generated handlers call it with the name of their RPC, before anything else.
func probeRPC(ctx context.Context, _ *http.Request) metadata.MD {
	if p, ok := ctx.Value(probeKey{}).(*probe); ok {
		p.rpc, _ = runtime.RPCMethod(ctx)

		panic(p)
	}

	return nil
}

// pair is a route with its handler.
type pair struct {
	route   schema.Route
	handler runtime.HandlerFunc
}

// pairUp finds the route of each handler: that of its RPC or, if there are several, the one at the same position, since generated
// code registers the bindings of an RPC in the order of their declaration. The order of services does not matter.
func pairUp(reg Registration, handlers []generated, rules schema.Rules) ([]pair, error) {
	declared, err := declaredRoutes(reg, rules)
	if err != nil {
		return nil, err
	}

	open := map[string][]schema.Route{}
	for _, r := range declared {
		open[r.RPC] = append(open[r.RPC], r)
	}

	pairs := make([]pair, 0, len(handlers))

	var without []generated

	for _, h := range handlers {
		if routes := open[h.rpc]; len(routes) > 0 {
			pairs, open[h.rpc] = append(pairs, pair{routes[0], h.handler}), routes[1:]
		} else {
			without = append(without, h)
		}
	}

	if faults := append(withoutRoute(reg, without), withoutHandler(declared, open)...); len(faults) > 0 {
		return nil, fmt.Errorf("%q register %d handlers, but their descriptors declare %d routes: %s",
			reg.Services, len(handlers), len(declared), strings.Join(faults, "; "))
	}

	return pairs, nil
}

// withoutRoute returns the faults of handlers without a route.
func withoutRoute(reg Registration, handlers []generated) []string {
	faults := make([]string, 0, len(handlers))

	for _, h := range handlers {
		rpc := h.rpc
		service, _, _ := strings.Cut(strings.TrimPrefix(rpc, "/"), "/")

		switch {
		case rpc == "" && h.fault != "":
			faults = append(faults, "a handler is not a generated one, or not of this mux; it panics: "+h.fault)
		case rpc == "":
			faults = append(faults, "a handler is not a generated one, or not of this mux")
		case slices.Contains(reg.Services, service):
			faults = append(faults, rpc+" has more handlers than routes")
		default:
			faults = append(faults, fmt.Sprintf("handlers of %s are registered, but the service is not named", service))
		}
	}

	slices.Sort(faults)

	return slices.Compact(faults)
}

// withoutHandler returns the faults of the declared routes of which some, in open, have no handler.
func withoutHandler(declared []schema.Route, open map[string][]schema.Route) []string {
	service := func(r schema.Route) string { return string(r.Descriptor.Parent().FullName()) }
	routes, left := map[string]int{}, map[string]int{} // By service.

	for _, r := range declared {
		routes[service(r)]++
	}

	for _, rest := range open {
		for _, r := range rest {
			left[service(r)]++
		}
	}

	var faults []string

	for _, r := range declared {
		switch missing := len(open[r.RPC]); {
		case missing == 0:
		case left[service(r)] < routes[service(r)]:
			faults = append(faults, fmt.Sprintf("%s lacks %d handlers", r.RPC, missing))
		default:
			faults = append(faults, service(r)+" is named, but no handler of it is registered")
		}
	}

	return slices.Compact(faults)
}

func declaredRoutes(reg Registration, rules schema.Rules) ([]schema.Route, error) {
	var declared []schema.Route

	services, faults := servicesOf([]Registration{reg})
	for _, service := range services {
		routes, err := rules.Of(service)
		if err != nil {
			return nil, err
		}

		declared = append(declared, routes...)
	}

	return declared, errors.Join(faults...)
}
