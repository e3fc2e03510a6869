package edge

import (
	"crypto/rand"
	"net/http"
)

// headerRequestID has the id of the request in both directions.
const headerRequestID = "X-Request-Id"

// requestID returns the id of a request: the client's, if that is 8 to 64 harmless characters, or 26 random ones.
func requestID(header http.Header) string {
	if id := header.Get(headerRequestID); isRequestID(id) {
		return id
	}

	return rand.Text()
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
