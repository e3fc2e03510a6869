package session

import (
	_ "embed"
	"errors"
	"html"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

//go:embed failed.html
var failedHTML string

// failedCSP lets the page show its own style, and nothing else.
const failedCSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// callbackFailed returns what is counted of a login that was not finished, and what the user is told.
func callbackFailed(err error) (outcome string, p *problem.Problem) {
	switch {
	case errors.Is(err, errDenied):
		return "denied", problem.New(codes.PermissionDenied, "the login was cancelled or refused")
	case errors.Is(err, errNotAccepted):
		return "not_accepted", loginUnavailable()
	case errors.Is(err, provider.ErrRefused):
	case errors.Is(err, provider.ErrUnavailable), errors.Is(err, errStore):
		return "unavailable", loginUnavailable()
	}

	return "refused", problem.New(codes.InvalidArgument, "this login cannot be finished: begin it again")
}

// loginUnavailable is the problem of a login that no user can mend.
func loginUnavailable() *problem.Problem {
	p := problem.New(codes.Unavailable, "nobody can log in at the moment")
	p.RetryAfter = retryAfter

	return p
}

// loginFailed tells a user, or a program, that a login has failed. Browsers get a page, from which the login can be begun again,
// for the same place to return to; empty: that is not known.
func (s *Sessions) loginFailed(w http.ResponseWriter, r *http.Request, returnTo string, p *problem.Problem, cause error) {
	if !wantsPage(r) {
		problem.Write(w, r, p, cause)
		return
	}

	rec := reqinfo.From(r.Context())
	p.Record(rec, cause)

	login := LoginPath
	if returnTo != "" {
		login += "?" + url.Values{"return_to": {returnTo}}.Encode()
	}

	text := strings.NewReplacer(
		"{{detail}}", html.EscapeString(sentence(p.Detail)), "{{request}}", html.EscapeString(rec.ID),
		"{{login}}", html.EscapeString(login),
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

// sentence makes a sentence of the text of a problem. Names of parameters stay as they are.
func sentence(detail string) string {
	if first, _, _ := strings.Cut(detail, " "); !strings.Contains(first, "_") {
		detail = strings.ToUpper(detail[:1]) + detail[1:]
	}

	return detail + "."
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
