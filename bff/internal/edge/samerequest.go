package edge

import (
	"context"
	"errors"
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Faults of middleware.
var (
	errOtherContext = errors.New("middleware passed on a request whose context is not made from that of the request it got")
	errTwice        = errors.New("middleware called next twice for one request, or with the context of another request")
)

// SameRequest panics if a request has lost its record in the middleware of an embedding program, or has one that was used already:
// without its record, the caller and the limits of the request would be unknown. It records the context values of the middleware.
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
		next.ServeHTTP(w, r.WithContext(derived{r.Context()}))
	})
}

// derived is a context of its own, so that middleware, which may hold the request's, does not see the deadline of a route.
type derived struct {
	context.Context //nolint:containedctx // It is a context itself.
}
