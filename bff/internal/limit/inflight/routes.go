package inflight

import (
	"sync"
	"sync/atomic"
)

// RouteName identifies a route.
type RouteName struct {
	// Method is the HTTP method, and Path the path template.
	Method, Path string
}

// Named returns the gate for a route that is also counted apart, if there is a bound.
func (g *Gate) Named(route RouteName) *Gate {
	named := *g
	named.count = g.routes.of(route)

	return &named
}

// Routes is how many requests and streams are in flight at each route of Named that has some.
func (g *Gate) Routes() map[RouteName]int64 { return g.routes.positive() }

// counts are those of routes. They are made when routes are, and not while requests are served.
type counts struct {
	mu     sync.Mutex
	routes map[RouteName]*atomic.Int64
}

func (c *counts) of(route RouteName) *atomic.Int64 {
	c.mu.Lock()
	defer c.mu.Unlock()

	if c.routes == nil {
		c.routes = map[RouteName]*atomic.Int64{}
	}

	count, known := c.routes[route]
	if !known {
		count = &atomic.Int64{}
		c.routes[route] = count
	}

	return count
}

func (c *counts) positive() map[RouteName]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()

	all := map[RouteName]int64{}

	for route, count := range c.routes {
		if n := count.Load(); n > 0 {
			all[route] = n
		}
	}

	return all
}
