package gateway

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func TestServerTiming(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		rec := &reqinfo.Record{Start: time.Now()}
		call := func(upstream, rpc string, after, took time.Duration) reqinfo.Call {
			return reqinfo.Call{Upstream: upstream, RPC: "/" + rpc, Start: rec.Start.Add(after), Took: took}
		}
		handler := serverTiming(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(8 * time.Millisecond)

			// An earlier request had begun this one.
			rec.AddCall(call("user", "user.v1.UserService/GetUser", -1500*time.Microsecond, 4*time.Millisecond))
			failed := call("order", "order.v1.OrderService/GetOrder", 2*time.Millisecond, 2250*time.Microsecond)
			failed.Code = codes.NotFound
			rec.AddCall(failed)
			w.WriteHeader(http.StatusNoContent)
		}))

		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), http.MethodGet, "/", nil))

		const want = `total;dur=8.0, user;desc="user.v1.UserService/GetUser";dur=4.0;start=-1.5, ` +
			`order;desc="order.v1.OrderService/GetOrder";dur=2.2;start=2.0;code=NOT_FOUND`
		if got := w.Header().Get("Server-Timing"); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
