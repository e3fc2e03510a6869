package gateway

import (
	"net/http"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Priority returns the priority of the route that a request will take. It costs no more than finding the route.
func (g *Gateway) Priority(r *http.Request) porticov1.Priority {
	if found, ok := g.find(r.Method, r.URL.EscapedPath()); ok {
		return found.priority
	}

	return porticov1.Priority_PRIORITY_NORMAL
}
