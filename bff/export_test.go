package bff

import (
	"net/http"

	"github.com/portico-gateway/portico/bff/internal/gateway"
)

// Observe puts a handler around the gateway, on all listeners. It is for gateways that serve nobody yet.
func (g *Gateway) Observe(wrap func(http.Handler) http.Handler) { g.handler = wrap(g.handler) }

// Document is the description that the gateway would serve if its configuration allowed it.
func (g *Gateway) Document() ([]byte, error) {
	routes, err := gateway.Compile(g.options.registrations(nil), g.options.gatewayConfig(g.config))
	if err != nil {
		return nil, err
	}

	document, err := g.options.document(g.config, routes)
	if err != nil {
		return nil, err
	}

	return document.JSON()
}

// Pages are the paths of what is served beside the routes.
func (g *Gateway) Pages() []string {
	paths := []string{documentPath, "/openapi.yaml", "/docs", "/docs/"}
	for _, page := range g.options.pages {
		paths = append(paths, page.Path)
	}

	return paths
}
