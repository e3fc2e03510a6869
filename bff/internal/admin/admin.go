// Package admin serves operators: health, metrics, the state of the backends, profiles. It has no authentication, so its listener
// must not be reachable by clients.
package admin

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Deps are the sources of its responses. The functions must be safe for concurrent use.
type Deps struct {
	// Ready reports whether the gateway accepts requests.
	Ready func() bool
	// Waiting lists what a starting gateway still waits for. Nil: nothing.
	Waiting func() []string
	// Notes are what operators should know of a gateway that is ready. Nil: nothing.
	Notes func() []string
	// Metrics serves the metrics.
	Metrics http.Handler
	// Upstreams returns the state of the backends, for JSON.
	Upstreams func() any
	// Mounts are further handlers by the path below which they serve.
	Mounts map[string]http.Handler
}

// New returns the handler of the admin listener. From pages of other origins it accepts only safe methods.
func New(deps Deps) http.Handler {
	r := chi.NewRouter()
	r.Get("/livez", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "ok") })
	r.Get("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		status, message := deps.readiness()
		text(w, status, message)
	})
	r.Get("/upstreams", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// The client may be gone.
		_ = json.NewEncoder(w).Encode(deps.Upstreams())
	})
	r.Method(http.MethodGet, "/metrics", deps.Metrics)
	r.Mount("/debug", middleware.Profiler())
	// Browsers request an icon, and log a 404 as an error.
	r.Get("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

	for path, handler := range deps.Mounts {
		r.Handle(path+"/*", handler)
		r.Handle(path, handler)
	}

	return http.NewCrossOriginProtection().Handler(r)
}

func (d Deps) readiness() (status int, message string) {
	if !d.Ready() {
		return http.StatusServiceUnavailable, "draining"
	}

	if d.Waiting != nil {
		if waiting := d.Waiting(); len(waiting) > 0 {
			return http.StatusServiceUnavailable, "waiting for " + strings.Join(waiting, "\nwaiting for ")
		}
	}

	if d.Notes != nil {
		return http.StatusOK, strings.Join(append([]string{"ok"}, d.Notes()...), "\n")
	}

	return http.StatusOK, "ok"
}

func text(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	// The client may be gone.
	_, _ = io.WriteString(w, message+"\n")
}
