package edge

import (
	"net/http"
	"slices"
	"time"

	"github.com/go-chi/chi/v5"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

const (
	// refusedRetryAfter is when a refused client should try again: by then a gateway knows what it can handle.
	refusedRetryAfter = time.Second
	// refusedBodyTime is how long the body of a refused request may still arrive.
	refusedBodyTime = 2 * time.Second
)

// overload returns the layer that refuses requests while the gateway is overloaded, if there is one. Around a refusal are only the
// layers that its client needs, since it has to be cheap. It is counted, but not logged.
func (d Deps) overload(cors func(http.Handler) http.Handler) func(http.Handler) http.Handler {
	if d.Overload == nil {
		return nil
	}

	around := chi.Middlewares{refusalHeaders(d.CloseAfter), d.Problems, cors}
	around = slices.DeleteFunc(around, func(layer func(http.Handler) http.Handler) bool { return layer == nil })
	refusal := around.Handler(refuse(d.Metrics, d.CountRefusal))

	return func(next http.Handler) http.Handler { return d.Overload(refusal, next) }
}

// refusalHeaders adds what all responses have: the id of the request, the headers for browsers, and, if the client should close its
// connection, that it should.
func refusalHeaders(closeAfter func(*http.Request) bool) func(http.Handler) http.Handler {
	browsers, closing := newSecurityHeaders(), []string{"close"}

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header()[headerRequestID] = []string{requestID(r.Header)}
			browsers.set(w.Header(), r)

			if closeAfter != nil && closeAfter(r) {
				w.Header()["Connection"] = closing
			}

			writer := response.New(w, r, browsers)
			next.ServeHTTP(&writer, r)
			writer.Finish()
		})
	}
}

// refuse responds with a 503.
func refuse(metrics Metrics, count func()) http.Handler {
	if count == nil {
		count = func() {}
	}

	overloaded := problem.New(codes.Unavailable, "the gateway is overloaded at the moment")
	overloaded.RetryAfter = refusedRetryAfter

	prepared := problem.Prepare(overloaded)
	// A refused request has no record of its own.
	refused := &reqinfo.Record{}
	refused.Refuse(reqinfo.Refusal{Reason: reqinfo.ReasonCPU})

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != http.NoBody {
			// A client that never sends its body must not keep the connection. net/http lifts the deadline.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(refusedBodyTime))
		}

		prepared.Write(w, r, w.Header().Get(headerRequestID))
		count()
		metrics.ObserveRequest(r.Method, refused, http.StatusServiceUnavailable, 0)
	})
}
