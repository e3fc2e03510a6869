package edge

import "net/http"

// SecurityHeaders adds headers for responses that are data: not to be sniffed, framed, cached or sent as referrer to other origins.
// A route may set others for its own responses.
func SecurityHeaders(next http.Handler) http.Handler {
	// All responses share the lists, which have no spare capacity: appending to one copies it.
	var (
		options   = []string{"nosniff"}
		policy    = []string{"default-src 'none'; frame-ancestors 'none'"}
		referrer  = []string{"no-referrer"}
		caching   = []string{"no-store"}
		transport = []string{"max-age=31536000"}
	)

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header["X-Content-Type-Options"] = options
		header["Content-Security-Policy"] = policy
		header["Referrer-Policy"] = referrer
		header["Cache-Control"] = caching

		if r.TLS != nil {
			header["Strict-Transport-Security"] = transport
		}

		next.ServeHTTP(w, r)
	})
}
