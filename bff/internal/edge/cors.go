package edge

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/cors"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

const (
	headerAllowOrigin  = "Access-Control-Allow-Origin"
	headerAllowMethods = "Access-Control-Allow-Methods"
)

// CORS lets pages of other origins call (Fetch standard, section 3.2). It answers preflights, which never reach next, and marks
// answers for the allowed origins. A preflight of another origin is answered without the headers that would let the page call.
// Methods and further are those of Deps.
func CORS(cfg config.CORS, methods func(escapedPath string) []string, further []string) func(http.Handler) http.Handler {
	mark := cors.Handler(cors.Options{
		AllowedOrigins: cfg.AllowedOrigins,
		AllowedMethods: append([]string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		}, further...),
		AllowedHeaders: cfg.AllowedHeaders,
		ExposedHeaders: []string{
			headerRequestID, "Retry-After", "RateLimit", "RateLimit-Policy", "Location", "ETag", "Allow", "Idempotency-Replayed",
		},
		AllowCredentials:   cfg.AllowCredentials,
		MaxAge:             int(cfg.MaxAge.Seconds()),
		OptionsPassthrough: methods != nil,
	})
	if methods == nil {
		return mark
	}

	return func(next http.Handler) http.Handler { return mark(preflight(methods, next)) }
}

// preflight answers preflights, those that have been marked with the methods of their path.
func preflight(methodsOf func(escapedPath string) []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPreflight(r) {
			next.ServeHTTP(w, r)

			return
		}

		header, methods := w.Header(), methodsOf(r.URL.EscapedPath())

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

// isPreflight reports whether this is what the Fetch standard calls a CORS-preflight request, as the layer before does.
func isPreflight(r *http.Request) bool {
	_, fromPage := r.Header["Origin"]

	return fromPage && r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}
