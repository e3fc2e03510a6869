package admin

import (
	"net/http"

	"github.com/go-chi/chi/v5"
)

// Health returns the handler of the health listener, which others than operators can reach: /livez, /readyz and nothing else. It
// says in general words why the gateway is not ready.
func Health(checks func() []Check) http.Handler {
	r := chi.NewRouter()
	health(r, func(w http.ResponseWriter, _ *http.Request) {
		outcome := run(checks())
		text(w, outcome.status(), outcome.reasons(func(c result) string { return c.State }))
	})

	return r
}

// health adds the paths for probes.
func health(r chi.Router, ready http.HandlerFunc) {
	live := func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, OK) }

	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.MethodFunc(method, "/livez", live)
		r.MethodFunc(method, "/readyz", ready)
	}
}
