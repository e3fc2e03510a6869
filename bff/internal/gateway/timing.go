package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// serverTiming sets the header Server-Timing (W3C Server Timing): the duration of the request so far, and of each call to a
// backend. The parameter "start" is the time from the start of the request to that of the call. It is negative for a call of an
// earlier request that this one shared. The parameter "code" is the gRPC code of a call that has failed. Browsers ignore parameters
// that they do not know; scripts can read the header. It is for developers of clients, since it names backends and RPCs.
func serverTiming(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timed, finish := response.With(w, r, timing{})
		next.ServeHTTP(timed, r)
		finish()
	})
}

// timing adds the times to the header before it is sent.
type timing struct{}

// BeforeHeader implements response.Hook.
func (timing) BeforeHeader(r *http.Request, header http.Header, status int) int {
	rec := reqinfo.From(r.Context())
	calls := rec.Calls()
	metrics := append(make([]string, 0, 1+len(calls)), "total;dur="+milliseconds(time.Since(rec.Start)))

	for _, call := range calls {
		metric := fmt.Sprintf("%s;desc=%q;dur=%s;start=%s",
			call.Upstream, strings.TrimPrefix(call.RPC, "/"), milliseconds(call.Took), milliseconds(call.Start.Sub(rec.Start)))
		if call.Code != codes.OK {
			metric += ";code=" + problem.CodeName(call.Code)
		}

		metrics = append(metrics, metric)
	}

	header.Set("Server-Timing", strings.Join(metrics, ", "))

	return status
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
}
