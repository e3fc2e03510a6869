package upstream

import (
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/resource"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	"github.com/portico-gateway/portico/bff/internal/upstream/concurrency"
)

// key is what the connection to a backend depends on, for as long as the process runs: its configuration without what is written to
// it, and which calls are retried, hedged and guarded by a breaker of their own.
func (c Config) key(name string) string {
	type method struct {
		Retry   *policy.Retry
		Key     string
		Breaker config.Breaker
	}

	methods := map[string]method{}

	for rpc, rules := range c.Methods {
		m := method{Retry: rules.Retry}

		if rules.Retry != nil {
			plain := *rules.Retry
			m.Key, plain.Key = plain.Key.String(), nil
			m.Retry = &plain
		}

		if b := rules.Effective.GetBreaker(); b != nil {
			m.Breaker = settingsOf(b)
		}

		if m != (method{}) {
			methods[rpc] = m
		}
	}

	own := c.Upstream
	own.ForwardAuthorization = false

	return resource.Key(name, own, methods)
}

// destination is where the calls go. What was found out about it holds for another connection to it, too.
func (c Config) destination() string {
	return resource.Key(c.Addresses, c.Target, c.Authority, c.TLS)
}

// takeBreaker returns the breaker of a method or, if rpc is empty, of a whole upstream. It goes on with another connection to the
// same destination, unless its own settings change.
func takeBreaker(own *resource.Lease, name, rpc string, c Config, settings config.Breaker, deps Deps) *breaker.Breaker {
	b, _ := resource.Take(own, "breaker", resource.Key(name, rpc, c.destination(), settings),
		func(own *resource.Lease) (*breaker.Breaker, error) {
			own.AtCommit(func() { deps.Observer.ObserveBreaker(name, rpc, breaker.Closed) })

			return breaker.New(name+rpc, settings, onChange(deps, name, rpc)), nil
		})

	return b
}

// takeLimiter returns the limit on calls to an upstream; nil if there is none. It goes on like a breaker.
func takeLimiter(own *resource.Lease, name string, c Config) *concurrency.Limiter {
	if c.Concurrency.Disabled {
		return nil
	}

	l, _ := resource.Take(own, "concurrency", resource.Key(name, c.destination(), c.Concurrency),
		func(*resource.Lease) (*concurrency.Limiter, error) { return concurrency.New(c.Concurrency, nil), nil })

	return l
}
