package edge

import (
	"crypto/rand"
	"net/http"
	"regexp"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// headerRequestID names the request in both directions.
const headerRequestID = "X-Request-Id"

var requestID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{7,63}$`)

// RequestID names the request: as the client did, if that is 8 to 64 harmless characters, or by 26 random ones. The answer carries
// the name.
func RequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(headerRequestID)
		if !requestID.MatchString(id) {
			id = rand.Text()
		}

		reqinfo.From(r.Context()).ID = id
		w.Header().Set(headerRequestID, id)
		next.ServeHTTP(w, r)
	})
}
