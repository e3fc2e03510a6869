// Package edge is what is the same for every request, before any route is known: a chain of chi middleware around the gateway.
// It never decides anything from a path; the router does.
package edge

import (
	"log/slog"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// Deps are the collaborators of the edge. Layers that are nil are left out.
type Deps struct {
	Logger  *slog.Logger
	Metrics Metrics
	// Tracer begins the traces of requests. Nil: there are none.
	Tracer *tracing.Tracer
	// Problems is around all that writes problems.
	Problems func(http.Handler) http.Handler
	// Overload passes requests to next, or to refusal while the gateway is overloaded.
	Overload func(refusal, next http.Handler) http.Handler
	// CountRefusal counts a request that is refused because of that. Nil: nobody counts.
	CountRefusal func()
	// Connections watches what requests do to their connections.
	Connections func(http.Handler) http.Handler
	// CloseAfter reports whether the client should close its connection after the response to r, which Connections does not see
	// if it is refused. It must be safe for concurrent use. Nil: never.
	CloseAfter func(r *http.Request) bool
	// Responses bounds what is buffered for clients that read slowly.
	Responses func(http.Handler) http.Handler
	// Middleware is that of an embedding program.
	Middleware func(http.Handler) http.Handler
	// ClientLimit refuses clients that send too much.
	ClientLimit func(http.Handler) http.Handler
	// Certificate refuses client certificates that are not valid any more.
	Certificate func(http.Handler) http.Handler
	// Identify authenticates callers. Nil: everyone is anonymous.
	Identify func(http.Handler) http.Handler
	// Forward records the client's headers for backends. Nil: they get none.
	Forward func(http.Handler) http.Handler
	// Methods lists the methods of an escaped path; none: there is no such path. It must be safe for concurrent use. Nil: pages of
	// allowed origins are granted the usual ones on every path.
	Methods func(escapedPath string) []string
	// FurtherMethods are granted to pages of allowed origins in addition to the usual ones.
	FurtherMethods []string
}

// Wrap puts the edge around next. From the outside in:
//
//	Linger         reads on after an early response, over HTTP/2
//	Overload       refuses requests while the gateway is overloaded
//	Problems       the gateway's settings for problems
//	Begin          the record: trace, id, client address, limit of the body; the writer, with headers for browsers; until when the
//	               connection may be slow, for which the route may have another limit; a panic is a 500
//	AccessLog      one line and one sample per request
//	Connections    refuses those that abort their requests; tells clients when to close theirs
//	Responses      aborts the responses of the slowest clients, when too much is buffered
//	CORS           off unless origins are configured; handles preflights
//	Middleware     of an embedding program
//	ClientLimit    coarse, per address
//	Certificate    whether the client's certificate is still valid
//	Identify       who calls; whether they may is the route's policy
//	Forward        the client's headers that the allow-list lets through
//	next
func Wrap(cfg config.Config, deps Deps, next http.Handler) http.Handler {
	var cors, sameRequest func(http.Handler) http.Handler

	if len(cfg.CORS.AllowedOrigins) > 0 {
		cors = CORS(cfg.CORS, deps.Methods, deps.FurtherMethods)
	}

	if deps.Middleware != nil {
		sameRequest = SameRequest
	}

	chain := chi.Middlewares{
		Linger,
		deps.overload(cors),
		deps.Problems,
		Begin(cfg, deps.Logger, deps.Tracer),
		AccessLog(cfg.Log, deps.Logger, deps.Metrics),
		deps.Connections,
		deps.Responses,
		cors,
		deps.Middleware,
		sameRequest,
		deps.ClientLimit,
		deps.Certificate,
		deps.Identify,
		deps.Forward,
	}

	// What is nil is left out.
	chain = slices.DeleteFunc(chain, func(layer func(http.Handler) http.Handler) bool { return layer == nil })

	return chain.Handler(next)
}
