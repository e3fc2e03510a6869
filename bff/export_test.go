package bff

import (
	"net/http"
	"time"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
)

// WithTLSInterval changes how often TLS files are looked at.
func WithTLSInterval(interval time.Duration) Option {
	return func(o *options) { o.tlsInterval = interval }
}

// WithClock changes by what time client certificates are valid once their connection is open.
func WithClock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// Observe puts a handler around the gateway, on all listeners. It is for gateways that serve nobody yet.
func (g *Gateway) Observe(wrap func(http.Handler) http.Handler) { g.handler = wrap(g.handler) }

// Document is the description that the gateway would serve if its configuration allowed it.
func (g *Gateway) Document() ([]byte, error) { return g.compiled.OpenAPI() }

// Pages are the paths of what is served beside the routes.
func (g *Gateway) Pages() []string {
	paths := append(pages.Own(), pages.Favicon)
	for _, page := range g.compiled.options.pages {
		paths = append(paths, page.Path)
	}

	return paths
}
