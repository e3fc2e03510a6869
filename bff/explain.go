package bff

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// Explanation is what the gateway would do with a request.
type Explanation struct {
	// Route is the one that matches. Nil: none does, and Problem says why.
	Route *Route
	// Variables are the path variables by name.
	Variables map[string]string
	// Addresses are where the configuration has the upstream of the route: its addresses, or its target. Empty: it is not
	// configured, or the route is a composite.
	Addresses []string
	// Legs are the calls that a composite makes for this request, found by running it over backends that make up their replies.
	// LegsErr says why there are none, or may be more: it is the composite's own error, with every kind of replies.
	Legs    []Leg
	LegsErr error
	// Access are all requirements of the access policy.
	Access []Check
	// Effects are what the other policies of the route, and those that hold for all, do with the request.
	Effects []Effect
	// Request is the message that the RPC would get. Nil: the request cannot be decoded, and Problem says why.
	Request proto.Message
	// Status and Problem are the HTTP status and the problem document if the request is refused for its route, path or body.
	Status  int
	Problem string
}

// Check is a requirement of an access policy.
type Check struct {
	Requirement string
	// Fault says why it is not met. Nil: it is, or Unknown.
	Fault error
	// Unknown reports that it depends on the reply to another call of the composite, which is not made.
	Unknown bool
}

// Effect is what a policy does with a request.
type Effect struct {
	// Policy is its name: "client limit", "rules", or that of a field of portico.v1.MethodPolicy, such as "rate limit" or
	// "timeout".
	Policy string
	// Says is what it does with the request.
	Says string
	// Fault says why it refuses the request; nil: it does not, as far as can be known without earlier requests.
	Fault error
}

// Allowed reports whether the request would reach a backend, if its quota allows, and those of all legs that it needs.
func (e Explanation) Allowed() bool {
	_, refused := e.RefusedLeg()

	return e.Request != nil && !slices.ContainsFunc(e.Access, func(c Check) bool { return c.Fault != nil }) &&
		!slices.ContainsFunc(e.Effects, func(f Effect) bool { return f.Fault != nil }) && !refused
}

// RefusedLeg returns the first leg that is refused and that the composite cannot do without.
func (e Explanation) RefusedLeg() (Leg, bool) {
	for _, l := range e.Legs {
		if _, refused := l.Refused(); refused && l.Required {
			return l, true
		}
	}

	return Leg{}, false
}

// Explain returns what a gateway would do with a request of a caller; the zero Principal is an anonymous one. It routes and
// decodes as the gateway does, but makes no connection. It looks at the method, the URL, the headers and the body of the request.
func (c *Compiled) Explain(ctx context.Context, r *http.Request, as Principal) (Explanation, error) {
	stub, err := upstream.NewStub(gateway.ExplainUnary, gateway.ExplainStream)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain: %w", err)
	}
	defer stub.Close() //nolint:errcheck // It was never open.

	router, err := gateway.New(ctx, c.routes, c.options.registrations(explained{stub}), c.routing)
	if err != nil {
		return Explanation{}, err
	}

	rec := &reqinfo.Record{Principal: recorded(as)}

	found, err := router.Explain(r.WithContext(reqinfo.NewContext(ctx, rec)))
	if err != nil {
		return Explanation{}, err
	}

	e := Explanation{Variables: found.Variables, Request: found.Request, Status: found.Status, Problem: found.Problem}

	if found.Route != nil {
		c.complete(ctx, &e, found, r, rec)
	}

	if !c.config.Auth.Disabled {
		for _, check := range found.Checks {
			e.Access = append(e.Access, Check{Requirement: check.Name, Fault: check.Fault})
		}
	}

	if !e.Allowed() {
		// What a response is like would read as the one to this request.
		e.Effects = slices.DeleteFunc(e.Effects, func(f Effect) bool { return f.Policy == "response" })
	}

	return e, nil
}

// complete adds what is known of the route that the request reaches.
func (c *Compiled) complete(ctx context.Context, e *Explanation, found gateway.Explanation, r *http.Request, rec *reqinfo.Record) {
	route, cfg := *found.Route, c.config
	e.Route = &c.options.describe([]gateway.Route{route})[0]
	e.Effects = effects(cfg, route, r, rec, e.Route.Composite)

	if e.Request != nil {
		e.Effects = append(e.Effects, Effect{Policy: "rules", Says: "buf.validate, of the request", Fault: found.Rules})
	}

	if u, ok := cfg.Upstreams[e.Route.Upstream]; ok {
		e.Addresses = u.Addresses
		if u.Target != "" {
			e.Addresses = []string{u.Target}
		}
	}

	if e.Route.Composite && e.Request != nil && !route.ClientStream && !route.ServerStream {
		e.Legs, e.LegsErr = c.legs(ctx, route, e.Request, rec)
	}
}

// explained implements connections with one that accepts every call and makes none.
type explained struct{ conn *grpc.ClientConn }

func (e explained) upstream(string) (*grpc.ClientConn, error) { return e.conn, nil }

func (e explained) composite(string) (grpc.ClientConnInterface, error) { return e.conn, nil }
