package admin

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

// OK is the state of a check with nothing to say.
const OK = "ok"

// Check is one thing that the readiness of a gateway depends on, or that an operator should know.
type Check struct {
	Name string
	// Check returns OK, or another word for the state, and details about it. It must be safe for concurrent use and not block. The
	// state is for everyone, so it names nothing internal; the detail is for operators.
	Check func() (state, detail string)
	// Required: unless it is OK, the gateway is not ready.
	Required bool
}

// result is that of a check.
type result struct {
	Name     string `json:"name"`
	State    string `json:"state"`
	Required bool   `json:"required"`
	Detail   string `json:"detail,omitempty"`
}

func (r result) failed() bool { return r.Required && r.State != OK }

// text is the state with its detail.
func (r result) text() string { return strings.TrimSpace(r.State + " " + r.Detail) }

// readiness is the outcome of all checks.
type readiness struct {
	Ready  bool     `json:"ready"`
	Checks []result `json:"checks"`
}

// run runs the checks.
func run(checks []Check) readiness {
	all := readiness{Ready: true, Checks: make([]result, 0, len(checks))}

	for _, c := range checks {
		state, detail := c.Check()
		all.Checks = append(all.Checks, result{Name: c.Name, State: state, Required: c.Required, Detail: detail})
		all.Ready = all.Ready && (!c.Required || state == OK)
	}

	return all
}

func (r readiness) status() int {
	if r.Ready {
		return http.StatusOK
	}

	return http.StatusServiceUnavailable
}

// reasons are why the gateway is not ready, a line for each, or OK.
func (r readiness) reasons(text func(result) string) string {
	var lines []string

	for _, c := range r.Checks {
		if c.failed() {
			lines = append(lines, text(c))
		}
	}

	if len(lines) == 0 {
		return OK
	}

	return strings.Join(slices.Compact(lines), "\n")
}

// verbose lists all checks, as Kubernetes does, with [!] for those that are not well but not required.
func (r readiness) verbose() string {
	var text strings.Builder

	for _, c := range r.Checks {
		mark := "[+]"

		switch {
		case c.failed():
			mark = "[-]"
		case c.State != OK:
			mark = "[!]"
		}

		text.WriteString(mark + c.Name + " " + c.text() + "\n")
	}

	if r.Ready {
		return text.String() + "readyz check passed"
	}

	return text.String() + "readyz check failed"
}

// serveReadiness serves the readiness for operators: in short, with all checks if the query has "verbose", or as JSON.
func serveReadiness(checks func() []Check) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		outcome := run(checks())

		switch {
		case wantsJSON(r):
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(outcome.status())
			// The client may be gone.
			_ = json.NewEncoder(w).Encode(outcome)
		case r.URL.Query().Has("verbose"):
			text(w, outcome.status(), outcome.verbose())
		default:
			text(w, outcome.status(), outcome.reasons(result.text))
		}
	}
}

// wantsJSON reports whether the client names JSON in its Accept header.
func wantsJSON(r *http.Request) bool {
	for m := range httpfield.Accept(r.Header["Accept"]) {
		if m.Type == "application/json" && m.Weight > 0 {
			return true
		}
	}

	return false
}
