package bff

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// Caller is who makes a request that is to be explained. The zero value is an anonymous caller.
type Caller struct {
	// Subject is the token's "sub", or whom a key or certificate stands for.
	Subject string
	// Issuer is who vouches for it.
	Issuer string
	Scopes []string
	Roles  []string
	Tenant string
}

// Explanation tells what the gateway would do with a request.
type Explanation struct {
	// Route is the one that matches. Nil: none does, and Answer says why.
	Route *Route
	// Variables are the path variables by name.
	Variables map[string]string
	// Verdicts are all demands of the access policy.
	Verdicts []Verdict
	// Request is the message that the RPC would get. Nil: the request cannot be decoded, and Answer says why.
	Request proto.Message
	// Status and Answer are the HTTP status and the problem document if it is the route, the path or the body that rules the
	// request out.
	Status int
	Answer string
}

// Verdict is a demand of an access policy. Fault says why it is not met; nil: it is.
type Verdict struct {
	Demand string
	Fault  error
}

// Allowed tells whether the request would reach a backend, if its quota allows.
func (e Explanation) Allowed() bool {
	for _, v := range e.Verdicts {
		if v.Fault != nil {
			return false
		}
	}

	return e.Request != nil
}

// Explain tells what a gateway with this configuration and these options would do with a request of a caller. It routes and decodes
// as the gateway does, but makes no connection. Of the request it looks at the method, the URL, the content type and the body.
func Explain(ctx context.Context, cfg config.Config, r *http.Request, as Caller, opts ...Option) (Explanation, error) {
	cfg = cfg.WithDefaults()

	o, err := collect(cfg, opts)
	if err != nil {
		return Explanation{}, err
	}

	nowhere, err := upstream.Nowhere(gateway.ExplainUnary, gateway.ExplainStream)
	if err != nil {
		return Explanation{}, fmt.Errorf("explain: %w", err)
	}
	defer nowhere.Close() //nolint:errcheck // It was never open.

	registrations, routing := o.registrations(explained{nowhere}), o.gatewayConfig(cfg)

	routes, err := gateway.Compile(registrations, routing)
	if err != nil {
		return Explanation{}, err
	}

	router, err := gateway.New(ctx, routes, registrations, routing)
	if err != nil {
		return Explanation{}, err
	}

	rec := &reqinfo.Record{Principal: reqinfo.Principal(as)}

	found, err := router.Explain(r.WithContext(reqinfo.NewContext(ctx, rec)))
	if err != nil {
		return Explanation{}, err
	}

	e := Explanation{Variables: found.Variables, Request: found.Request, Status: found.Status, Answer: found.Answer}

	if found.Route != nil {
		e.Route = &describe([]gateway.Route{*found.Route})[0]
	}

	if !cfg.Auth.Disabled {
		for _, v := range found.Verdicts {
			e.Verdicts = append(e.Verdicts, Verdict{Demand: v.Name, Fault: v.Fault})
		}
	}

	return e, nil
}

// explained implements connections with one that takes every call and makes none.
type explained struct{ conn *grpc.ClientConn }

func (e explained) upstream(string) (*grpc.ClientConn, error) { return e.conn, nil }

func (e explained) composite(string) (grpc.ClientConnInterface, error) { return e.conn, nil }
