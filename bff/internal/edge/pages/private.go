package pages

import (
	"net/http"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
	"github.com/portico-gateway/portico/bff/internal/response"
)

// Private is for a page that not everyone may read: shared caches do not store it (RFC 9111, section 5.2.2.7), whatever else its
// handler says about caching.
func Private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		private := &privateWriter{}
		private.Writer = response.New(w, private)
		next.ServeHTTP(private, r)
		private.Finish()
	})
}

type privateWriter struct{ response.Writer }

func (w *privateWriter) BeforeHeader(status int) int {
	header := w.Header()
	if caching := header["Cache-Control"]; !httpfield.Has(caching, "no-store") {
		header.Set("Cache-Control", strings.TrimSuffix("private, "+strings.Join(caching, ", "), ", "))
	}

	return status
}
