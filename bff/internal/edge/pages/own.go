package pages

import "net/http"

// ownOrigin lets a page load what its own origin serves, and call that. Nothing may frame it.
const ownOrigin = "default-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

// OwnOrigin is for pages for browsers: its Content-Security-Policy, which for responses of the API allows nothing, lets them load
// scripts, styles and images of their own origin and call the API there. The handler may set another.
func OwnOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", ownOrigin)
		next.ServeHTTP(w, r)
	})
}
