package console

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin/console/window"
)

// Deps are the sources of what is shown, and what does the actions. The functions must be safe for concurrent use and not block,
// but for those of Actions.
type Deps struct {
	// About returns the same pointer as long as nothing in it changes.
	About func() *About
	// State returns all but what is found out from Totals and Recent. Routes are those with requests in flight.
	State func() State
	// Totals returns the counters of the metrics.
	Totals func() window.Totals
	// Recent are the last failures.
	Recent *Recent
	// Connect connects to backends that no call has needed yet, so that their state is known.
	Connect func()
	// Guard protects an action, by its name. Note adds to what is logged of it.
	Guard func(action string, next http.Handler) http.Handler
	Note  func(r *http.Request, attrs ...slog.Attr)

	Actions Actions
}

// Console serves what is below /console/ on the admin listener. It is safe for concurrent use and must be closed.
type Console struct {
	hub *hub
	mux *http.ServeMux
}

// Path is where the console is.
const Path = "/console/"

// New returns a console. It does nothing until a page is open.
func New(deps Deps) *Console {
	c := &Console{hub: newHub(deps), mux: http.NewServeMux()}

	c.mux.Handle("GET "+Path, servePage())
	c.mux.HandleFunc("GET "+Path+"events", c.serveEvents)
	c.mux.HandleFunc("GET "+Path+"state", c.serveState)
	deps.Actions.route(c.mux, deps.Guard, deps.Note)

	return c
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// Close ends all streams, and waits until nothing runs in the background. Further streams are refused. Further calls change
// nothing.
func (c *Console) Close() { c.hub.close() }

// interval is how often the state is sent.
const interval = time.Second

// The spans of rates.
const (
	shortSpan = 10 * time.Second
	longSpan  = time.Minute
)
