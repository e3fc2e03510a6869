package balance

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/resolver"

	"github.com/portico-gateway/portico/bff/config"
)

// Observer counts ejections of addresses, by reason: Failures, Outlier or Silence. It must be safe for concurrent use and not
// block.
type Observer interface {
	ObserveEjection(upstream, reason string)
}

// Why an address is ejected.
const (
	// Failures: its calls fail, one after the other.
	Failures = "failures"
	// Outlier: it replies with errors to nearly all calls, unlike most of the others.
	Outlier = "outlier"
	// Silence: its connection is open, but nothing comes from it.
	Silence = "silence"
)

// Group is the addresses of one backend, over which one connection balances. It is safe for concurrent use.
type Group struct {
	name     string
	settings Settings
	observer Observer
	// noHealth makes logNoHealth log once.
	noHealth sync.Once
	// unresolved reports that the last lookup of the name failed.
	unresolved atomic.Bool
	// drained are the addresses that operators have drained.
	drained addressSet
	// current is nil while the connection is idle or closed.
	current atomic.Pointer[wrapper]
}

// NewGroup returns a group for the connection to the backend of that name. The observer may be nil. The state of the connection's
// resolver must be attached to the group, and its credentials must be those of Track.
func NewGroup(name string, settings Settings, observer Observer) *Group {
	settings.Logger = cmp.Or(settings.Logger, slog.New(slog.DiscardHandler))
	return &Group{name: name, settings: settings, observer: observer}
}

type groupKey struct{}

// Attach attaches the addresses of a resolver to the group.
func (g *Group) Attach(state resolver.State) resolver.State {
	state.Attributes = state.Attributes.WithValue(groupKey{}, g)
	return state
}

// groupOf returns the group that the state is attached to, or one without an observer.
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

// The states of an address.
const (
	// Ready: it gets calls.
	Ready = "ready"
	// Drained: an operator keeps calls away from it.
	Drained = "drained"
	// Ejected: its calls failed.
	Ejected = "ejected"
	// Unresponsive: nothing came over its connection, which was closed.
	Unresponsive = "unresponsive"
	// Unhealthy: it does not report that it is serving.
	Unhealthy = "unhealthy"
	// Connecting: there is no connection yet, or not again.
	Connecting = "connecting"
	// Failing: no connection can be made, since the last attempt that ended.
	Failing = "failing"
	// Idle: no connection was needed yet.
	Idle = "idle"
)

// States lists the states of an address.
func States() []string {
	return []string{Ready, Drained, Ejected, Unresponsive, Unhealthy, Connecting, Failing, Idle}
}

// Address is the state of an address of a backend.
type Address struct {
	Address string `json:"address"`
	// State is one of States.
	State string `json:"state"`
	// Until is when an ejected address is tried again.
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
