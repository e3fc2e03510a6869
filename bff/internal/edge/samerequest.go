package edge

import (
	"errors"
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// What middleware must not do.
var (
	errOtherContext = errors.New("middleware passed on a request whose context is not made from that of the request it got")
	errTwice        = errors.New("middleware called next twice for one request, or with the context of another request")
)

// SameRequest panics if a request has lost its record on the way through middleware of others, or comes with one that was used.
// Without a record of its own nobody would know who calls, or what the request may cost. It notes what middleware has put into the
// context.
func SameRequest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec, ok := reqinfo.Lookup(r.Context())
		if !ok {
			panic(errOtherContext)
		}

		if rec.Values != nil {
			panic(errTwice)
		}

		// A server's requests have one always, those of http.NewRequest do not.
		if r.Body == nil {
			r.Body = http.NoBody
		}

		rec.Values = r.Context()
		next.ServeHTTP(w, r)
	})
}
