package connection

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Handler answers requests while watching what they do to their connection:
//
//   - A request whose client has gone already is not passed on.
//   - A connection whose client breaks its requests off again and again is refused. net/http runs only as many requests of a
//     connection at a time as it may have streams, those that the client has reset already included, so what such a client can cost
//     is bounded by MaxAborted and those streams.
//   - Answers ask the client to close its connection if it breaks off many, if there are too many connections, or if the gateway is
//     leaving. HTTP/1.1 says "Connection: close"; net/http makes a GOAWAY of it for HTTP/2, which lets streams finish. The client
//     finds out before it sends its next request, and loses none.
//
// It belongs where answers are logged and before all that costs something.
func (c *Connections) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d := debtOf(r.Context())
		if r.Context().Err() != nil {
			d.aborted()

			return
		}

		closing := &closingWriter{conns: c, debt: d}
		closing.Writer = response.New(w, closing)

		if c.broke(d) {
			tooMany := problem.New(codes.ResourceExhausted, "too many requests were broken off on this connection")
			problem.Write(closing, r, tooMany, nil)

			return
		}

		next.ServeHTTP(closing, r)
		closing.Finish()

		switch {
		case r.Context().Err() == nil:
			d.answered()
		case !closing.Flushed(): // Who has seen the beginning of a stream may leave when he likes.
			d.aborted()
		}
	})
}

// broke tells whether a connection owes too much.
func (c *Connections) broke(d *debt) bool {
	return c.config.MaxAborted > 0 && d.requests() >= int64(c.config.MaxAborted)
}

// lastOf tells whether a connection should be closed after an answer. Of what it may break off, half is enough to ask for that: who
// means no harm has a new connection before a request is refused.
func (c *Connections) lastOf(d *debt) bool {
	const half = 2

	return c.config.Leaving() || c.crowded() ||
		c.config.MaxAborted > 0 && d.requests()*half >= int64(c.config.MaxAborted)
}

// closingWriter decides as late as it can whether its response is the last one of the connection.
type closingWriter struct {
	response.Writer

	conns *Connections
	debt  *debt
}

// BeforeHeader implements response.Hook.
func (w *closingWriter) BeforeHeader(status int) int {
	if w.conns.lastOf(w.debt) {
		w.Header().Set("Connection", "close")
	}

	return status
}
