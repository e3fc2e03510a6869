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
		w, finish := response.With(w, r, private{})
		next.ServeHTTP(w, r)
		finish()
	})
}

type private struct{}

// BeforeHeader implements response.Hook.
func (private) BeforeHeader(_ *http.Request, header http.Header, status int) int {
	if caching := header["Cache-Control"]; !httpfield.Has(caching, "no-store") {
		header.Set("Cache-Control", strings.TrimSuffix("private, "+strings.Join(caching, ", "), ", "))
	}

	return status
}
