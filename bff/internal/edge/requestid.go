package edge

import (
	"crypto/rand"
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// headerRequestID names the request in both directions.
const headerRequestID = "X-Request-Id"

// RequestID names the request: as the client did, if that is 8 to 64 harmless characters, or by 26 random ones. The answer carries
// the name.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(headerRequestID)
		if !isRequestID(id) {
			id = rand.Text()
		}

		reqinfo.From(r.Context()).ID = id
		w.Header()[headerRequestID] = []string{id}
		next.ServeHTTP(w, r)
	})
}

// isRequestID reports whether a client may name its request so: letters, digits and, but for the beginning, dots, dashes and
// underscores.
func isRequestID(id string) bool {
	const shortest, longest = 8, 64

	if len(id) < shortest || len(id) > longest {
		return false
	}

	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case i > 0 && (c == '.' || c == '-' || c == '_'):
		default:
			return false
		}
	}

	return true
}
