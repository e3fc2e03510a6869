package gateway

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

var errDraining = errors.New("the gateway is shutting down")

// guardStream gives the stream error handler, which has only a context, the means to answer with a problem document as long as
// nothing has been sent. It ends the stream when the gateway drains.
func guardStream(draining context.Context) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithCancelCause(r.Context())
			defer cancel(nil)

			if draining != nil {
				defer context.AfterFunc(draining, func() { cancel(errDraining) })()
			}

			s := &stream{ResponseWriter: w}
			s.request = r.WithContext(context.WithValue(ctx, streamKey{}, s))
			next.ServeHTTP(s, s.request)
		})
	}
}

type streamKey struct{}

// stream is the writer of a streamed answer. Once it has answered with a problem, it drops what grpc-gateway adds.
type stream struct {
	http.ResponseWriter

	request *http.Request
	started bool
	failed  bool
}

func (s *stream) WriteHeader(status int) {
	if s.failed {
		return
	}

	s.started = true
	s.ResponseWriter.WriteHeader(status)
}

func (s *stream) Write(p []byte) (int, error) {
	if s.failed {
		return len(p), nil
	}

	s.started = true

	return s.ResponseWriter.Write(p) //nolint:wrapcheck // A writer's errors are its own.
}

// Unwrap lets http.ResponseController flush.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// handleStreamError answers a stream that fails before its first message with a problem document, and one that fails later with
// the status that ends it, as far as the client may read it.
func handleStreamError(ctx context.Context, err error) *status.Status {
	s, ok := ctx.Value(streamKey{}).(*stream)
	if !ok {
		p := problem.From(err)

		return status.New(p.GRPCCode(), p.Detail)
	}

	p := explain(ctx, s.request, err)
	if s.started {
		reqinfo.From(ctx).Fail(p.GRPCCode(), err)
	} else {
		problem.Write(s.ResponseWriter, s.request, p, err)
		s.failed = true
	}

	return status.New(p.GRPCCode(), p.Detail)
}
