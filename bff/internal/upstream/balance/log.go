package balance

import (
	"errors"

	"google.golang.org/grpc/connectivity"
)

// Each change of an address is logged once, however often it is noticed.

func (g *Group) logNoHealth() {
	g.noHealth.Do(func() {
		g.settings.Logger.Info("the backend has no health service (grpc.health.v1):"+
			" its addresses count as healthy while they reply", "upstream", g.name)
	})
}

// LogResolved logs that the name cannot be resolved any more, with the error, or, without one, that it can be again.
func (g *Group) LogResolved(err error) {
	if failed := err != nil; g.unresolved.Swap(failed) == failed {
		return
	}

	if err != nil {
		g.settings.Logger.Warn("the name of the backend cannot be resolved", "upstream", g.name, "error", err)
	} else {
		g.settings.Logger.Info("the name of the backend can be resolved again", "upstream", g.name)
	}
}

// logReachable logs that an address can be reached again or, with an error, why it cannot any more.
func (g *Group) logReachable(address string, err error) {
	if err != nil {
		// The text of the error that wraps it adds nothing.
		if cause := errors.Unwrap(err); cause != nil {
			err = cause
		}

		g.settings.Logger.Warn("the backend cannot be reached", "upstream", g.name, "address", address, "error", err)
	} else {
		g.settings.Logger.Info("the backend can be reached again", "upstream", g.name, "address", address)
	}
}

// logSilent logs that an address is connected but does not respond.
func (g *Group) logSilent(address string) {
	g.settings.Logger.Warn("the backend does not respond", "upstream", g.name, "address", address)
}

// logServing logs that the health service of an address says that it is serving again or, with an error, that it is not.
func (g *Group) logServing(address string, err error) {
	if err != nil {
		g.settings.Logger.Warn("the backend is not serving", "upstream", g.name, "address", address, "error", err)
	} else {
		g.settings.Logger.Info("the backend is serving again", "upstream", g.name, "address", address)
	}
}

// tell counts and logs a member that was ejected or readmitted.
func (g *Group) tell(v verdict) {
	if v.reason == "" {
		g.settings.Logger.Info("the backend gets calls again", "upstream", g.name, "address", v.address)
		return
	}

	g.observe(v.reason)
	g.settings.Logger.Warn("the backend is left out for a while", "upstream", g.name, "address", v.address, "reason", v.reason,
		"until", v.until)
}

// changeServing records what the health service of the member says, and reports whether that is to be logged: a state that is not
// known yet is not. The caller holds the lock.
func (m *member) changeServing(state connectivity.State) (changed bool) {
	switch state {
	case connectivity.Ready:
		changed, m.unserving = m.unserving, false
	case connectivity.TransientFailure:
		changed, m.unserving = !m.unserving, true
	default:
	}

	return changed
}
