package connection

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Handler serves requests and watches what they do to their connection:
//
//   - A request whose client has left already is not passed on.
//   - Requests of a connection with too many aborted ones are refused. net/http runs only as many requests of a connection at a
//     time as it may have streams, including those that the client has reset, so the cost of such a client is bounded by
//     MaxAbortedPerConnection and the number of streams.
//   - Responses ask the client to close its connection if it aborts many requests, if there are too many connections, if they are
//     renewed, or if the gateway is leaving. HTTP/1.1 says "Connection: close"; net/http sends a GOAWAY over HTTP/2, which lets
//     streams finish. The client knows before it sends its next request, and loses none.
//
// It belongs where responses are logged and before all that is expensive.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		budget := budgetOf(r.Context())
		if r.Context().Err() != nil {
			budget.aborted()
			return
		}

		hooked, finish := response.With(w, r, closing{g})

		if g.exhausted(budget) {
			tooMany := problem.New(codes.ResourceExhausted, "too many requests were aborted on this connection").
				Because(reqinfo.ReasonAbortedRequests)
			problem.Write(hooked, r, tooMany, nil)

			return
		}

		next.ServeHTTP(hooked, r)
		finish()

		switch {
		case r.Context().Err() == nil:
			budget.completed()
		case !hooked.Flushed(): // A client that has read the beginning of a stream may leave at any time.
			budget.aborted()
		}
	})
}

// exhausted reports whether a connection has aborted too many requests.
func (g *Guard) exhausted(b *abortBudget) bool {
	most := g.maxAborted.Load()

	return most > 0 && b.used() >= most
}

// CloseAfter reports whether the client should close its connection after the response to a request that Handler does not serve.
func (g *Guard) CloseAfter(r *http.Request) bool { return g.closesAfter(budgetOf(r.Context())) }

// closesAfter reports whether a connection should be closed after a response. Half of the aborts that are allowed are enough, so
// that a well-behaved client has a new connection before a request is refused.
func (g *Guard) closesAfter(b *abortBudget) bool {
	const half = 2

	most := g.maxAborted.Load()

	return g.leaving() || g.nearLimit() || b.known && b.epoch != g.epoch.Load() || most > 0 && b.used()*half >= most
}

// closing decides as late as possible whether a response is the last one of its connection.
type closing struct{ guard *Guard }

// BeforeHeader implements response.Hook.
func (c closing) BeforeHeader(r *http.Request, header http.Header, status int) int {
	if c.guard.CloseAfter(r) {
		header.Set("Connection", "close")
	}

	return status
}
