package edge

import (
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/cors"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
)

const (
	headerAllowOrigin  = "Access-Control-Allow-Origin"
	headerAllowMethods = "Access-Control-Allow-Methods"
)

// CORS says which other origins' pages may call (Fetch standard, section 3.2).
type CORS struct {
	AllowedOrigins   []string
	AllowedHeaders   []string
	AllowCredentials bool
	MaxAge           time.Duration
	// Methods lists those that an escaped path has; none: there is no such path. It must be safe for concurrent use. Nil: the usual
	// ones are granted on every path.
	Methods func(escapedPath string) []string
}

// Handler answers preflights, which never reach next, and marks answers for the allowed origins. A preflight of another origin is
// answered like any other, but without the headers that would let the page call.
func (c CORS) Handler() func(http.Handler) http.Handler {
	mark := cors.Handler(cors.Options{
		AllowedOrigins: c.AllowedOrigins,
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders: c.AllowedHeaders,
		ExposedHeaders: []string{
			headerRequestID, "Retry-After", "RateLimit", "RateLimit-Policy", "Location", "ETag", "Idempotency-Replayed",
		},
		AllowCredentials:   c.AllowCredentials,
		MaxAge:             int(c.MaxAge.Seconds()),
		OptionsPassthrough: c.Methods != nil,
	})
	if c.Methods == nil {
		return mark
	}

	return func(next http.Handler) http.Handler { return mark(c.preflight(next)) }
}

// preflight answers preflights that have been marked, with the methods of their path.
func (c CORS) preflight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPreflight(r) {
			next.ServeHTTP(w, r)

			return
		}

		header := w.Header()

		methods := c.Methods(r.URL.EscapedPath())
		if len(methods) == 0 {
			unmark(header)
			problem.Write(w, r, problem.New(codes.NotFound, "no route matches this path"), nil)

			return
		}

		if header.Get(headerAllowOrigin) != "" {
			header.Set(headerAllowMethods, strings.Join(methods, ", "))
		}

		w.WriteHeader(http.StatusNoContent)
	})
}

// isPreflight tells what the Fetch standard calls a CORS-preflight request, as the layer before does.
func isPreflight(r *http.Request) bool {
	_, fromPage := r.Header["Origin"]

	return fromPage && r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// unmark takes back that a page may call. What the answer varies by stays true.
func unmark(header http.Header) {
	for _, name := range []string{
		headerAllowOrigin, headerAllowMethods, "Access-Control-Allow-Headers", "Access-Control-Allow-Credentials",
		"Access-Control-Max-Age",
	} {
		header.Del(name)
	}
}
