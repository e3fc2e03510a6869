package edge

import (
	"math/rand/v2"
	"net/http"
)

// headerRequestID has the id of the request in both directions.
const headerRequestID = "X-Request-Id"

// requestID returns the id of a request: the client's, if that is 8 to 64 harmless characters, or 26 random ones.
func requestID(header http.Header) string {
	if id := header.Get(headerRequestID); isRequestID(id) {
		return id
	}

	return randomID()
}

// randomID returns what rand.Text of crypto/rand does. An id is no secret: numbers that cost a tenth are good enough for it.
func randomID() string {
	const (
		alphabet        = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567" // RFC 4648, section 6.
		length          = 26
		bits, perNumber = 5, 12
	)

	var (
		id     [length]byte
		number uint64
	)

	for i := range id {
		if i%perNumber == 0 {
			number = rand.Uint64() //nolint:gosec // See above.
		}

		id[i] = alphabet[number%(1<<bits)]
		number >>= bits
	}

	return string(id[:])
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
