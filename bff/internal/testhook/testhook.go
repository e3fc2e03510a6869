// Package testhook is what tests change in a gateway and programs cannot: Open takes the hooks from its context. It is not for
// programs, and what operators need is in the configuration.
package testhook

import (
	"context"
	"net/http"
	"time"
)

// Hooks change a gateway that is opened. The zero value changes nothing.
type Hooks struct {
	// Wrap is put around the gateway, on all listeners.
	Wrap func(http.Handler) http.Handler
	// TLSInterval is how often TLS files are looked at. Zero: tlsfiles.DefaultInterval.
	TLSInterval time.Duration
	// Now is the clock by which client certificates are checked on open connections.
	Now func() time.Time
	// BatchQuiet is how long calls of a composite wait to be put into a batch while a goroutine does something unknown. Zero: the
	// default of package batch.
	BatchQuiet time.Duration
}

type key struct{}

// With returns a context with the hooks that change made of those in ctx.
func With(ctx context.Context, change func(*Hooks)) context.Context {
	hooks := From(ctx)
	change(&hooks)

	return context.WithValue(ctx, key{}, hooks)
}

// From returns the hooks of a context, with time.Now for a clock that is not set.
func From(ctx context.Context) Hooks {
	hooks, _ := ctx.Value(key{}).(Hooks)
	if hooks.Now == nil {
		hooks.Now = time.Now
	}

	return hooks
}

// Handler returns the handler of a gateway, wrapped if there is a hook for it.
func (h Hooks) Handler(gateway http.Handler) http.Handler {
	if h.Wrap == nil {
		return gateway
	}

	return h.Wrap(gateway)
}
