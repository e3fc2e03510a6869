package edge

import (
	"net/http"
	"time"

	"github.com/go-chi/cors"
)

// CORS says which other origins' pages may call (Fetch standard, section 3.2).
type CORS struct {
	AllowedOrigins   []string
	AllowedHeaders   []string
	AllowCredentials bool
	MaxAge           time.Duration
}

// Handler answers preflights and marks answers for the allowed origins.
func (c CORS) Handler() func(http.Handler) http.Handler {
	return cors.Handler(cors.Options{
		AllowedOrigins: c.AllowedOrigins,
		AllowedMethods: []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		},
		AllowedHeaders:   c.AllowedHeaders,
		ExposedHeaders:   []string{headerRequestID, "Retry-After", "RateLimit", "RateLimit-Policy", "Location", "ETag"},
		AllowCredentials: c.AllowCredentials,
		MaxAge:           int(c.MaxAge.Seconds()),
	})
}
