// Package admin serves operators: health, metrics, the state of the backends, the level of the log, profiles; and health alone to
// others. What only shows something has no authentication, so the listener for operators must not be reachable by clients.
package admin

import (
	"encoding/json"
	"io"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

// Deps are the sources of its responses. The functions must be safe for concurrent use.
type Deps struct {
	// Checks returns what /readyz shows, in this order.
	Checks func() []Check
	// Metrics serves the metrics.
	Metrics http.Handler
	// Upstreams returns the state of the backends, for JSON.
	Upstreams func() any
	// LogLevel is the level of the log. Nil: it cannot be changed here.
	LogLevel LogLevel
	// Guard lets only operators with the credential change something.
	Guard *Guard
	// Console serves what is below /console/. Nil: there is none.
	Console http.Handler
	// Mounts are further handlers by the path below which they serve.
	Mounts map[string]http.Handler
}

// New returns the handler of the admin listener. From pages of other origins it accepts only safe methods.
func New(deps Deps) http.Handler {
	r := chi.NewRouter()
	health(r, serveReadiness(deps.Checks))
	r.Get("/upstreams", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		// The client may be gone.
		_ = json.NewEncoder(w).Encode(deps.Upstreams())
	})
	r.Method(http.MethodGet, "/metrics", deps.Metrics)
	r.Mount("/debug", middleware.Profiler())
	// Browsers request an icon, and log a 404 as an error.
	r.Get("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })

	if deps.LogLevel != nil {
		logLevel{deps.LogLevel}.route(r, deps.Guard)
	}

	if deps.Console != nil {
		r.Handle("/console/*", deps.Console)

		for _, path := range []string{"/", "/console"} {
			r.Get(path, http.RedirectHandler("/console/", http.StatusSeeOther).ServeHTTP)
		}
	}

	for path, handler := range deps.Mounts {
		r.Handle(path+"/*", handler)
		r.Handle(path, handler)
	}

	return http.NewCrossOriginProtection().Handler(r)
}

func text(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	// The client may be gone.
	_, _ = io.WriteString(w, message+"\n") //nolint:gosec // It is plain text, and browsers are told so.
}
