package edge

import (
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// writeGrace is how long after the deadline a response may still be written.
const writeGrace = 5 * time.Second

// WriteTimeout is that of a server (http.Server) whose requests may take so long. With it, Begin need not set the end of writing
// for each request, which costs more. Zero: no bound.
func WriteTimeout(request time.Duration) time.Duration {
	if request == 0 {
		return 0
	}

	return request + writeGrace
}

// limitConnection bounds how long a client may take to send its request and to read the response, from the request's arrival.
// Without it a client that was refused could hold its connection, and with that a graceful stop, by never sending the body that it
// declared. The matched route sets its own. Zero: no bound.
//
// It is a function of its own because in one that is inlined, the controller would be allocated.
func limitConnection(w http.ResponseWriter, r *http.Request, rec *reqinfo.Record, timeout time.Duration) {
	if timeout == 0 {
		return
	}

	end := rec.Start.Add(timeout)
	rec.WriteBy = end.Add(writeGrace)

	// Not every writer supports it; a test's recorder needs no deadline. net/http lifts both before the next request.
	conn := http.NewResponseController(w)

	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || server.WriteTimeout != WriteTimeout(timeout) {
		_ = conn.SetWriteDeadline(rec.WriteBy)
	}

	if r.Body != http.NoBody {
		_ = conn.SetReadDeadline(end)
	}
}
