package bff

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// RequestInfo is what the gateway knows of a request.
type RequestInfo struct {
	// ID names the request: the value of X-Request-Id in the response, and of request_id in problem documents and the log.
	ID string
	// Client is the address of the client, by client_ip.trusted_proxies. Invalid if it is not known.
	Client netip.Addr
	// Principal is who calls. Its subject is empty for an anonymous caller, and before credentials were read.
	Principal Principal
	// Route is the path template of the route, "/v1/users/{user_id}", or the path of a page. Empty if none matched, or none yet.
	Route string
	// RPC is the full method of the route, "user.v1.UserService/GetUser". Empty if there is none, or none yet.
	RPC string
}

// Principal is who calls.
type Principal = composite.Principal

// RequestInfoFrom returns what is known so far of the request of a context: in middleware, before or after it has called next, in
// hooks, interceptors, composites and handlers of pages. It reports false for a context that is not of a request to a gateway. It
// is for the goroutine that serves the request, and for others that it has started.
func RequestInfoFrom(ctx context.Context) (RequestInfo, bool) {
	rec, ok := reqinfo.Lookup(ctx)
	if !ok {
		return RequestInfo{}, false
	}

	return RequestInfo{
		ID: rec.ID, Client: rec.Client, Route: rec.Template, RPC: strings.TrimPrefix(rec.RPC, "/"),
		Principal: composite.Caller(ctx),
	}, true
}

// recorded returns the principal as it is on the record of a request.
func recorded(p Principal) reqinfo.Principal {
	return reqinfo.Principal{
		Subject: p.Subject, Issuer: p.Issuer, Tenant: p.Tenant, Scopes: slices.Clone(p.Scopes), Roles: slices.Clone(p.Roles),
	}
}
