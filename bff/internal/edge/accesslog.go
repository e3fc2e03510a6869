package edge

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Metrics counts requests. Its methods must be safe for concurrent use and not block.
type Metrics interface {
	RequestStarted() (ended func())
	// ObserveRequest counts a request by what its record says.
	ObserveRequest(method string, rec *reqinfo.Record, status int, took time.Duration)
	// ObserveMissing counts a part that is missing from the response of a composite.
	ObserveMissing(rpc, part string, code codes.Code)
}

// AccessLog writes one line and one sample at the end of each request, even after a panic; see docs/logging.md. The line has the
// route's template and never the path or the query, which may have data that does not belong in logs.
func AccessLog(cfg config.Log, logger *slog.Logger, metrics Metrics) func(http.Handler) http.Handler {
	// The source of all lines, for handlers that show it.
	var source [1]uintptr
	runtime.Callers(1, source[:])

	lines := newAccessLog(logger.Handler(), source[0], newSampling(cfg))

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ended := metrics.RequestStarted()

			tracked, ok := w.(*response.Writer)
			if !ok {
				wrapped := response.New(w, r, nil)
				tracked = &wrapped
			}

			panicked := true

			defer func() {
				ended()

				rec := reqinfo.From(r.Context())
				// Begin writes its response after this; an earlier fault says more than the panic.
				if code, _ := rec.Outcome(); panicked && code == codes.OK {
					rec.Fail(codes.Internal, nil)
				}

				took := time.Since(rec.Start)
				status := loggedStatus(r.Context(), cmp.Or(rec.Status, tracked.Status()), panicked)
				metrics.ObserveRequest(r.Method, rec, status, took)

				for _, part := range rec.Missing() {
					metrics.ObserveMissing(rec.RPC, part.Name, problem.From(part.Cause).GRPCCode())
				}

				lines.write(served{r, rec, status, tracked.Size(), took})
				endTrace(r, rec, status, tracked.Size())
			}()

			next.ServeHTTP(tracked, r)

			panicked = false
		})
	}
}

// loggedStatus is the status to log: a client that hung up before the response began got none.
func loggedStatus(ctx context.Context, status int, panicked bool) int {
	switch {
	case panicked:
		return http.StatusInternalServerError
	case errors.Is(ctx.Err(), context.Canceled) && (status == 0 || status >= http.StatusInternalServerError):
		return problem.StatusClientClosedRequest
	case status == 0:
		return http.StatusOK
	default:
		return status
	}
}
