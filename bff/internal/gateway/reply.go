package gateway

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/policy"
)

// replyWith gives a single message the status that the route's policy wants, or says that the client has it already.
func replyWith(status int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			next.ServeHTTP(&reply{ResponseWriter: w, request: r, status: status}, r)
		})
	}
}

// reply is the writer of an answer that is a single message.
type reply struct {
	http.ResponseWriter

	request *http.Request
	// status replaces 200. Zero: it does not.
	status int
	begun  bool
	// empty tells that the answer has no body, whatever is written.
	empty bool
}

func (a *reply) WriteHeader(status int) {
	if a.begun {
		return
	}

	a.begun = true

	if status == http.StatusOK {
		status = a.success()
	}

	a.ResponseWriter.WriteHeader(status)
}

// success is the status of an answer that is none of an error.
func (a *reply) success() int {
	status := http.StatusOK
	if a.status != 0 {
		status = a.status
	}

	if status == http.StatusOK && notModified(a.Header(), a.request) {
		status = http.StatusNotModified
	}

	if a.empty = status == http.StatusNotModified || policy.Bodyless(status); a.empty {
		a.Header().Del("Content-Type")
		a.Header().Del("Content-Length")
	}

	return status
}

func (a *reply) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)

	if a.empty {
		return len(p), nil
	}

	defer connection.Hold(a.ResponseWriter, len(p))()

	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *reply) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// notModified reports whether the client has what the entity tag of the answer says.
func notModified(answer http.Header, r *http.Request) bool {
	tag := answer.Get("Etag")

	return tag != "" && r.Method == http.MethodGet && !httpfield.NoneMatch(r.Header.Values("If-None-Match"), tag)
}
