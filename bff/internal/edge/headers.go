package edge

import "net/http"

// SecurityHeaders says that answers are data: not to be sniffed, framed, cached by others or told about to other origins. A route
// may say otherwise for its own answers.
func SecurityHeaders(next http.Handler) http.Handler {
	// All answers share them: who replaces or adds a value makes a list of his own.
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
