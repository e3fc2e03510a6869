package session

import (
	_ "embed"
	"html"
	"net/http"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

//go:embed failed.html
var failedHTML string

// failedCSP lets the page show its own style, and nothing else.
const failedCSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// loginFailed tells a user, or a program, that a login has failed. Browsers get a page, from which the login can be begun again.
func (s *Sessions) loginFailed(w http.ResponseWriter, r *http.Request, p *problem.Problem, cause error) {
	if !wantsPage(r) {
		problem.Write(w, r, p, cause)
		return
	}

	rec := reqinfo.From(r.Context())
	p.Record(rec, cause)

	text := strings.NewReplacer(
		"{{detail}}", html.EscapeString(p.Detail), "{{request}}", html.EscapeString(rec.ID), "{{login}}", LoginPath,
	).Replace(failedHTML)

	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", failedCSP)

	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", problem.Seconds(p.RetryAfter))
	}

	w.WriteHeader(p.Status)
	// An error means that the client is gone.
	_, _ = w.Write([]byte(text))
}

// wantsPage reports whether a browser navigates, rather than a script or a program asks.
func wantsPage(r *http.Request) bool {
	for m := range httpfield.Accept(r.Header.Values("Accept")) {
		if m.Type == "text/html" && m.Weight > 0 {
			return true
		}
	}

	return false
}
