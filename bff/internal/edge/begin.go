package edge

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// exchange is what every request and its response need, in one piece of memory.
type exchange struct {
	context reqinfo.Context
	request http.Request
	body    limitedBody
	writer  response.Writer
	// id is the value of the header with the request's id.
	id [1]string
}

// Begin makes the record of a request, with its trace, its id, the client's address and the limit of its body, and the writer of
// its response, with the headers for browsers. Without a tracer, the trace is that of the client. It bounds how long the client may
// take (see limitConnection). It responds to a panic with a 500. If the response has begun already, the connection is aborted, so
// that the client sees that the response is incomplete.
//
// It panics if a prefix of a trusted proxy cannot be parsed.
func Begin(cfg config.Config, logger *slog.Logger, tracer *tracing.Tracer) func(http.Handler) http.Handler {
	clients := newClientAddress(cfg.ClientIP.TrustedProxies, logger)
	browsers := newSecurityHeaders()
	traces := newTraces(cfg, tracer)

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := &exchange{}
			rec := &x.context.Record
			start := time.Now()
			server, trace := traces.begin(r)
			x.context.Begin(server, start)
			// A copy of the copy, which stays on the stack.
			x.request = *r.WithContext(&x.context)
			r = &x.request

			rec.Trace = trace
			rec.ID = requestID(r.Header)
			rec.Client = clients.of(r)
			rec.BodyLimit = cfg.Limits.MaxBodyBytes

			if r.ContentLength == 0 && r.ProtoMajor == 2 {
				// It has none, but net/http says so over HTTP/1.1 only.
				r.Body = http.NoBody
			}

			if r.Body != http.NoBody {
				// Not net/http's own writer, to whose header a body that is too large would add while the response is written.
				x.body = limitedBody{w: &x.writer, body: r.Body, declared: r.ContentLength, rec: rec}
				r.Body = &x.body
			}

			limitConnection(w, r, rec, cfg.Server.RequestTimeout)

			x.id[0] = rec.ID
			w.Header()[headerRequestID] = x.id[:]
			browsers.set(w.Header(), r)
			x.writer = response.New(w, r, browsers)

			defer recoverFrom(&x.writer, r, logger)

			next.ServeHTTP(&x.writer, r)
			x.writer.Finish()
		})
	}
}

// recoverFrom is deferred. It responds to a panic, unless that is how net/http aborts the connection.
func recoverFrom(w *response.Writer, r *http.Request, logger *slog.Logger) {
	v := recover()
	if v == nil {
		return
	}

	if v == http.ErrAbortHandler { //nolint:errorlint,err113 // net/http compares it in the same way.
		panic(v)
	}

	logger.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelError, "panic",
		slog.String("request_id", reqinfo.From(r.Context()).ID), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))

	if w.Status() != 0 {
		panic(http.ErrAbortHandler)
	}

	problem.Write(w, r, problem.New(codes.Internal, "something went wrong on our side"), fmt.Errorf("panic: %v", v))
}
