package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// tellTimes says in the header Server-Timing (W3C Server Timing) what the request has taken so far, and what each call to a backend
// took. It is for those who develop clients: the names of backends and RPCs are in it.
func tellTimes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&timed{ResponseWriter: w, rec: reqinfo.From(r.Context())}, r)
	})
}

// timed is a writer that adds the times to the header before it goes out.
type timed struct {
	http.ResponseWriter

	rec  *reqinfo.Record
	told bool
}

func (t *timed) WriteHeader(status int) {
	t.tell()
	t.ResponseWriter.WriteHeader(status)
}

func (t *timed) Write(p []byte) (int, error) {
	t.tell()

	return t.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (t *timed) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *timed) tell() {
	if t.told {
		return
	}

	t.told = true

	metrics := []string{"total;dur=" + milliseconds(time.Since(t.rec.Start))}
	for _, call := range t.rec.Calls() {
		metrics = append(metrics,
			fmt.Sprintf("%s;desc=%q;dur=%s", call.Upstream, strings.TrimPrefix(call.RPC, "/"), milliseconds(call.Took)))
	}

	t.Header().Set("Server-Timing", strings.Join(metrics, ", "))
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
}
