package balance

import (
	"cmp"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/resolver"

	"github.com/portico-gateway/portico/bff/config"
)

// Observer is told when an address of a backend is left out, and why: Failures or Silence. It must be safe for concurrent use and
// not block.
type Observer interface {
	ObserveEjection(upstream, reason string)
}

// Why an address is left out.
const (
	// Failures of its calls, one after the other.
	Failures = "failures"
	// Silence on a connection that is there.
	Silence = "silence"
)

// Group is the addresses of one backend, as one connection balances over them. It is safe for concurrent use.
type Group struct {
	name     string
	settings Settings
	observer Observer
	// noHealth is done once the backend has been found to have no health service.
	noHealth sync.Once
	// current is nil while the connection is idle or closed.
	current atomic.Pointer[wrapper]
}

// NewGroup is for the connection to the backend of that name. The observer may be nil. What the connection's resolver finds must be
// attached to the group, and its credentials be those of Track.
func NewGroup(name string, settings Settings, observer Observer) *Group {
	settings.Logger = cmp.Or(settings.Logger, slog.New(slog.DiscardHandler))

	return &Group{name: name, settings: settings, observer: observer}
}

type groupKey struct{}

// Attach tells the policy that the addresses which a resolver has found are those of the group.
func (g *Group) Attach(state resolver.State) resolver.State {
	state.Attributes = state.Attributes.WithValue(groupKey{}, g)

	return state
}

// groupOf returns the group that the state is attached to, or one that nobody looks at.
func groupOf(state resolver.State) *Group {
	if g, ok := state.Attributes.Value(groupKey{}).(*Group); ok {
		return g
	}

	return NewGroup("", Settings{Probe: config.Probe{Disabled: true}, Ejection: config.Ejection{Disabled: true}}, nil)
}

func (g *Group) observe(reason string) {
	if g.observer != nil {
		g.observer.ObserveEjection(g.name, reason)
	}
}

// noteNoHealth says once that the backend has no health service, so that nobody looks for the health of its addresses.
func (g *Group) noteNoHealth() {
	g.noHealth.Do(func() {
		g.settings.Logger.Info("the backend has no health service (grpc.health.v1):"+
			" its addresses count as healthy while they answer", "upstream", g.name)
	})
}

// noteReachable says that an address can be reached again or, with an error, why it cannot any more.
func (g *Group) noteReachable(address string, err error) {
	if err != nil {
		// What gRPC wraps it in says nothing more.
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}

		g.settings.Logger.Warn("the backend cannot be reached", "upstream", g.name, "address", address, "error", err)
	} else {
		g.settings.Logger.Info("the backend can be reached again", "upstream", g.name, "address", address)
	}
}

// Address is the state of an address of a backend.
type Address struct {
	Address string `json:"address"`
	// State is "ready", "ejected", "unresponsive" (it fell silent and is not back), "unhealthy" (it does not say that it is
	// serving), "connecting", "failing" (it cannot be connected to) or "idle".
	State string `json:"state"`
	// Until is when an ejected one is tried again.
	Until time.Time `json:"until,omitzero"`
}

// Addresses returns the state of each address, in alphabetical order. There is none while the connection is idle.
func (g *Group) Addresses() []Address {
	w := g.current.Load()
	if w == nil {
		return nil
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	list := make([]Address, 0, len(w.members))

	for _, m := range w.members {
		if m.listed {
			list = append(list, Address{Address: m.address, State: m.state(), Until: m.until})
		}
	}

	slices.SortFunc(list, func(a, b Address) int { return cmp.Compare(a.Address, b.Address) })

	return list
}
