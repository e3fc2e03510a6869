package pages

import (
	"net/http"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

// Private is for a page that not everyone may read: caches that others share do not keep it (RFC 9111, section 5.2.2.7), whatever
// else its handler says about caching.
func Private(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&privateWriter{ResponseWriter: w}, r)
	})
}

type privateWriter struct {
	http.ResponseWriter

	begun bool
}

// WriteHeader implements http.ResponseWriter.
func (w *privateWriter) WriteHeader(status int) {
	header := w.Header()
	if caching := header["Cache-Control"]; !w.begun && !httpfield.Has(caching, "no-store") {
		header.Set("Cache-Control", strings.TrimSuffix("private, "+strings.Join(caching, ", "), ", "))
	}

	w.begun = true
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *privateWriter) Write(content []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}

	return w.ResponseWriter.Write(content)
}

// Unwrap is for http.ResponseController.
func (w *privateWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
