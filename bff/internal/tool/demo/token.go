package demo

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Bounds in bytes. Demo users have short names and few scopes; more is a mistake.
const (
	maxSubject = 128
	maxScopes  = 1024
)

// token serves GET /dev/token?subject=alice&scope=users:admin: a new token. scope may be repeated or missing.
func token(sign func(subject string, scopes []string) (string, time.Duration, error)) http.Handler {
	type response struct {
		Token   string `json:"token"`
		Subject string `json:"subject"`
		// ExpiresIn is in seconds, as in OAuth (RFC 6749, section 5.1).
		ExpiresIn int64 `json:"expiresIn"`
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		subject, scopes := query.Get("subject"), query["scope"]

		if fault := check(query); fault != "" {
			problem.Write(w, r, problem.New(codes.InvalidArgument, fault), nil)

			return
		}

		signed, lifetime, err := sign(subject, scopes)
		if err != nil {
			problem.Write(w, r, problem.From(err), err)

			return
		}

		writeJSON(w, response{Token: signed, Subject: subject, ExpiresIn: int64(lifetime.Seconds())})
	})
}

// check returns what is wrong with a query; empty if nothing is.
func check(query url.Values) string {
	for name := range query {
		if name != "subject" && name != "scope" {
			return fmt.Sprintf("%.50q: unknown parameter; there are subject and scope", name)
		}
	}

	subject := query.Get("subject")

	switch {
	case len(query["subject"]) > 1:
		return "subject: is set more than once"
	case len(subject) > maxSubject || !reqinfo.Plain(subject):
		return fmt.Sprintf("subject: must be 1 to %d characters of printable ASCII, such as alice, as gRPC metadata is",
			maxSubject)
	case !areScopes(strings.Join(query["scope"], " ")):
		return fmt.Sprintf("scope: must be at most %d characters of printable ASCII in all, without quotes, such as users:admin",
			maxScopes)
	}

	return ""
}

// areScopes reports whether a text is a list of scopes (RFC 6749, section 3.3), and not too long.
func areScopes(text string) bool {
	return len(text) <= maxScopes && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r > '~' || r == '"' || r == '\\'
	})
}
