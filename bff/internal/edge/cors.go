package edge

import (
	"net/http"
	"slices"
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
	// FurtherMethods are granted beside the usual ones.
	FurtherMethods []string
	// Methods lists those that an escaped path has; none: there is no such path. It must be safe for concurrent use. Nil: the usual
	// ones are granted on every path.
	Methods func(escapedPath string) []string
}

// Handler answers preflights, which never reach next, and marks answers for the allowed origins. A preflight of another origin is
// answered without the headers that would let the page call.
func (c CORS) Handler() func(http.Handler) http.Handler {
	mark := cors.Handler(cors.Options{
		AllowedOrigins: c.AllowedOrigins,
		AllowedMethods: append([]string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		}, c.FurtherMethods...),
		AllowedHeaders: c.AllowedHeaders,
		ExposedHeaders: []string{
			headerRequestID, "Retry-After", "RateLimit", "RateLimit-Policy", "Location", "ETag", "Allow", "Idempotency-Replayed",
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

// preflight answers preflights, those that have been marked with the methods of their path.
func (c CORS) preflight(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPreflight(r) {
			next.ServeHTTP(w, r)

			return
		}

		header, methods := w.Header(), c.Methods(r.URL.EscapedPath())

		switch marked := header.Get(headerAllowOrigin) != ""; {
		case marked:
			// The one that is asked for is granted wherever it leads, so that the page can read what is wrong: that the path does
			// not take it, or that there is none.
			methods = append(slices.Clip(methods), r.Header.Get("Access-Control-Request-Method"))
			slices.Sort(methods)
			header.Set(headerAllowMethods, strings.Join(slices.Compact(methods), ", "))
		case len(methods) == 0:
			problem.Write(w, r, problem.New(codes.NotFound, "no route matches this path"), nil)

			return
		}

		w.WriteHeader(http.StatusNoContent)
	})
}

// isPreflight tells what the Fetch standard calls a CORS-preflight request, as the layer before does.
func isPreflight(r *http.Request) bool {
	_, fromPage := r.Header["Origin"]

	return fromPage && r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
