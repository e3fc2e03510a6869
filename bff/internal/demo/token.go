package demo

import (
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Bounds in bytes. Demo users have short names and few scopes; more is a mistake.
const (
	maxSubject = 128
	maxScopes  = 1024
)

// token answers GET /dev/token?subject=alice&scope=users:admin with a fresh token. scope may be repeated or missing.
func token(sign func(subject string, scopes []string) (string, time.Duration, error)) http.Handler {
	type answer struct {
		Token   string `json:"token"`
		Subject string `json:"subject"`
		// ExpiresIn is in seconds, as in OAuth (RFC 6749, section 5.1).
		ExpiresIn int64 `json:"expiresIn"`
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		subject, scopes := query.Get("subject"), query["scope"]

		switch {
		case subject == "" || len(subject) > maxSubject || !printable(subject):
			problem.Write(w, r, problem.Newf(codes.InvalidArgument, "subject: 1 to %d bytes that can be printed, such as alice",
				maxSubject), nil)

			return
		case !areScopes(strings.Join(scopes, " ")):
			problem.Write(w, r, problem.Newf(codes.InvalidArgument, "scope: at most %d bytes in all, such as users:admin",
				maxScopes), nil)

			return
		}

		signed, lifetime, err := sign(subject, scopes)
		if err != nil {
			problem.Write(w, r, problem.From(err), err)

			return
		}

		writeJSON(w, answer{Token: signed, Subject: subject, ExpiresIn: int64(lifetime.Seconds())})
	})
}

// printable tells that a text has nothing that a log or a terminal would trip over.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// areScopes tells that a text is a list of scopes (RFC 6749, section 3.3), and not too long.
func areScopes(text string) bool {
	return len(text) <= maxScopes && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r > '~' || r == '"' || r == '\\'
	})
}
