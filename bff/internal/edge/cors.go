package edge

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/cors"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	headerAllowOrigin  = "Access-Control-Allow-Origin"
	headerAllowMethods = "Access-Control-Allow-Methods"
)

// CORS lets pages of other origins call (Fetch standard, section 3.2). It handles preflights, which never reach next, and adds
// headers to responses for the allowed origins. The response to a preflight of another origin has none. Methods and further are
// those of Deps.
func CORS(cfg config.CORS, methods func(escapedPath string) []string, further []string) func(http.Handler) http.Handler {
	addHeaders := cors.Handler(cors.Options{
		AllowedOrigins: cfg.AllowedOrigins,
		AllowedMethods: append([]string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		}, further...),
		AllowedHeaders: cfg.AllowedHeaders,
		ExposedHeaders: []string{
			headerRequestID, "Retry-After", "RateLimit", "RateLimit-Policy", "Location", "Link",
			"ETag", "Allow", "Idempotency-Replayed", "Server-Timing",
		},
		AllowCredentials:   cfg.AllowCredentials,
		MaxAge:             int(cfg.MaxAge.Seconds()),
		OptionsPassthrough: methods != nil,
	})
	if methods == nil {
		return addHeaders
	}

	return func(next http.Handler) http.Handler { return addHeaders(preflight(methods, next)) }
}

// preflight responds to preflights, and adds the methods of their path if the origin is allowed.
func preflight(methodsOf func(escapedPath string) []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isPreflight(r) {
			next.ServeHTTP(w, r)
			return
		}

		header, methods := w.Header(), methodsOf(r.URL.EscapedPath())

		switch allowed := header.Get(headerAllowOrigin) != ""; {
		case allowed:
			// The requested method is always granted, so that the page can read the error: that the path does not have it, or that
			// there is no such path.
			methods = append(slices.Clip(methods), r.Header.Get("Access-Control-Request-Method"))
			slices.Sort(methods)
			header.Set(headerAllowMethods, strings.Join(slices.Compact(methods), ", "))
		case len(methods) == 0:
			problem.Write(w, r, problem.New(codes.NotFound, "no route matches this path").Because(reqinfo.ReasonNoRoute), nil)
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
