package bff

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

// WriteError answers a request with an error, in the one form that all errors of a gateway have: for middleware and for the handlers
// of pages, before they have written anything. An error with a gRPC status is answered as a backend's would be: its code says which
// HTTP status, and its message reaches the client where the code is one that speaks to callers (docs/errors.md). Any other error is
// a plain 500. The log has the error.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	problem.Write(w, r, problem.From(err), err)
}
