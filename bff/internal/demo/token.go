package demo

import (
	"net/http"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// maxSubject is in bytes. Demo users have short names; a longer one is a mistake.
const maxSubject = 128

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
		subject := query.Get("subject")

		if subject == "" || len(subject) > maxSubject {
			problem.Write(w, r, problem.Newf(codes.InvalidArgument, "subject: 1 to %d bytes, such as alice", maxSubject), nil)

			return
		}

		signed, lifetime, err := sign(subject, query["scope"])
		if err != nil {
			problem.Write(w, r, problem.From(err), err)

			return
		}

		writeJSON(w, answer{Token: signed, Subject: subject, ExpiresIn: int64(lifetime.Seconds())})
	})
}
