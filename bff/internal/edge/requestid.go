package edge

import (
	"crypto/rand"
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// headerRequestID has the id of the request in both directions.
const headerRequestID = "X-Request-Id"

// RequestID sets the id of the request: the client's, if that is 8 to 64 harmless characters, or 26 random ones. The response has
// it, too.
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

// isRequestID reports whether a client may send this id: letters, digits and, except at the beginning, dots, dashes and
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
