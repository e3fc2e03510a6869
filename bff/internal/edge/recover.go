package edge

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// exchange is what every request needs, in one piece of memory.
type exchange struct {
	context reqinfo.Context
	writer  response.Writer
}

// Recover makes the record of the request and responds to a panic with a 500. If the response has begun already, the connection is
// aborted, so that the client sees that the response is incomplete.
func Recover(logger *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			x := &exchange{}
			x.context.Begin(r.Context(), time.Now())
			r = r.WithContext(&x.context)
			rec := &x.context.Record
			x.writer = response.New(w, r, nil)
			tracked := &x.writer

			defer func() {
				v := recover()
				if v == nil {
					return
				}

				if v == http.ErrAbortHandler { //nolint:errorlint,err113 // net/http compares it in the same way.
					panic(v)
				}

				logger.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelError, "panic",
					slog.String("request_id", rec.ID), slog.Any("panic", v), slog.String("stack", string(debug.Stack())))

				if tracked.Status() != 0 {
					panic(http.ErrAbortHandler)
				}

				problem.Write(tracked, r, problem.New(codes.Internal, "something went wrong on our side"),
					fmt.Errorf("panic: %v", v))
			}()

			next.ServeHTTP(tracked, r)
			tracked.Finish()
		})
	}
}
