package bff

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/limit/delay"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// A gateway that drains while it is overloaded serves requests again after the overload. Once, it went on with refusing as many as
// when it began to drain.
func TestOverloadEndsWhileDraining(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var waited atomic.Int64

		gate := delay.New(5*time.Millisecond, delay.Deps{
			Logger: slog.New(slog.DiscardHandler),
			Measure: func() (delay.Measurement, bool) {
				return delay.Measurement{Waited: time.Duration(waited.Load()), Queued: true}, true
			},
		})

		status := func(code int) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
		}
		handler := gate.Handler(func(*http.Request) porticov1.Priority { return porticov1.Priority_PRIORITY_NORMAL })(
			status(http.StatusServiceUnavailable), status(http.StatusOK))
		serve := func(delay, length time.Duration) int {
			waited.Store(int64(delay))
			time.Sleep(length)

			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))

			return w.Code
		}

		ctx, life := newLifetime(t.Context())
		life.untilEnd(ctx, gate.Run)

		if got := serve(time.Second, 10*time.Second); got != http.StatusServiceUnavailable {
			t.Errorf("during the overload: %d", got)
		}

		life.stop()

		if got := serve(0, 10*time.Second); got != http.StatusOK {
			t.Errorf("after the overload: %d", got)
		}

		if err := life.end(); err != nil {
			t.Error(err)
		}
	})
}
