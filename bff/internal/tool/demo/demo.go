// Package demo is the page that `portico dev` shows a newcomer: what is running, and two composites over the live API, with the
// calls behind them, while their backends are stopped and started. It also has what the page's buttons call, below /dev/.
//
// It is for development only. It issues tokens for any user, so it serves only programs on the same machine, and never another site
// in their browser.
package demo

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
)

// Deps are what the page shows and switches.
type Deps struct {
	// Token signs a token for a subject with scopes, and says for how long it holds.
	Token func(subject string, scopes []string) (token string, lifetime time.Duration, err error)
	// Backends lists the backends at GET /dev/backends, and takes POST /dev/backends/{name}/{stop|start}. It sees the whole path.
	Backends http.Handler
	// Info is what the page says about the process. It is called for each request, as addresses are known only while it serves.
	Info func() Info
	// Host is one by which the process may be called besides those of loopback, such as the host of its address. May be empty.
	Host string
}

// Info is what the page says about the process.
type Info struct {
	// Version of Portico.
	Version string `json:"version"`
	// Readme is the URL of the documentation of this version.
	Readme string `json:"readme"`
	// Admin is the URL of the admin listener, without a path. Empty: it is off.
	Admin string `json:"admin,omitempty"`
	// Routes is how many REST routes there are.
	Routes int `json:"routes"`
}

// New returns the page, at "/", its files below /demo/, and what it calls below /dev/.
func New(deps Deps) []pages.Page {
	guard := Guard(deps.Host)

	return append(files(),
		pages.Page{Path: "/dev/token", Handler: guard(token(deps.Token))},
		pages.Page{Path: "/dev/info", Handler: guard(info(deps.Info))},
		pages.Page{Path: "/dev/backends", Handler: guard(deps.Backends)},
		pages.Page{Path: "/dev/backends/", Handler: guard(deps.Backends), Methods: []string{http.MethodPost}},
	)
}

func info(of func() Info) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, of()) })
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	// An error means that the client is gone.
	_ = json.NewEncoder(w).Encode(v)
}
