package bff

import (
	"slices"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
)

// readiness is what /readyz shows. What all gateways share, such as a backend, is not required: if it fails, none of them would be
// ready, and the routes that do not need it would be lost, too.
func (g *Gateway) readiness() []admin.Check {
	current := g.current()
	pool, stores := current.backends.pool, current.stores

	checks := []admin.Check{
		{Name: "serving", Required: true, Check: func() (string, string) {
			if g.with.life.over() {
				return "draining", ""
			}

			if since := g.drained.Load(); since != nil {
				return "draining", "by an operator, since " + since.UTC().Format(time.RFC3339)
			}

			return admin.OK, ""
		}},
		{Name: "keys", Required: true, Check: func() (string, string) {
			if missing := g.with.keys.waiting(current.awaitingKeys); len(missing) > 0 {
				return "waiting", "for " + strings.Join(missing, ", ")
			}

			return admin.OK, ""
		}},
		{Name: "configuration", Check: g.ReloadState().check},
	}

	for _, name := range pool.Names() {
		checks = append(checks, admin.Check{Name: "upstream:" + name, Check: func() (string, string) {
			return upstreamState(pool.Status(name))
		}})
	}

	if stores.redis != nil {
		checks = append(checks, admin.Check{Name: "redis", Check: func() (string, string) { return stateOfRedis(stores.redis) }})
	}

	return checks
}

const unavailable = "unavailable"

// stateOfRedis is the state of Redis in a word, and why.
func stateOfRedis(r redisState) (state, detail string) {
	reasons := r.Trouble()
	if breaker := r.State(); breaker != redis.StateClosed {
		reasons = append(reasons, "its circuit breaker is "+breaker.String())
	}

	switch policy := r.Evicts(); {
	case len(reasons) > 0:
		return unavailable, strings.Join(reasons, "; ")
	case policy != "":
		return "evicts", "what must be kept, by its maxmemory-policy " + policy
	default:
		return admin.OK, ""
	}
}

// upstreamState is the state of an upstream in a word, and why: it is unavailable if its breaker is open, or if none of its
// addresses can be called.
func upstreamState(s upstream.Status) (state, detail string) {
	var reasons []string

	if s.Breaker == "open" {
		reasons = append(reasons, "its circuit breaker is open")
	}

	callable := func(a balance.Address) bool { return slices.Contains([]string{"ready", "idle", "connecting"}, a.State) }

	switch {
	case slices.ContainsFunc(s.Addresses, callable):
	case len(s.Addresses) > 0:
		states := make([]string, 0, len(s.Addresses))
		for _, a := range s.Addresses {
			states = append(states, a.Address+" is "+a.State)
		}

		reasons = append(reasons, strings.Join(states, ", "))
	case s.Connectivity == "TRANSIENT_FAILURE":
		reasons = append(reasons, "it has no addresses")
	}

	if len(reasons) == 0 {
		return admin.OK, ""
	}

	return unavailable, strings.Join(reasons, "; ")
}
