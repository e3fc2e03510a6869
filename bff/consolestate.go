package bff

import (
	"slices"
	"strings"
	"time"

	"github.com/portico-gateway/portico/bff/internal/admin"
	"github.com/portico-gateway/portico/bff/internal/admin/console"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// consoleState is what goes on now, for the console.
func (g *Gateway) consoleState() console.State {
	current := g.current()
	overload, server := current.compiled.config.Overload, current.compiled.config.Server
	requests, streams := g.with.overload.InFlight()

	state := console.State{
		Upstreams:   []console.Upstream{},
		Drained:     g.drained.Load(),
		Stopping:    g.with.life.over(),
		CPU:         console.CPU{DelayMS: inMilliseconds(g.with.cpu.Current()), TargetMS: inMilliseconds(overload.TargetDelay)},
		Requests:    console.InFlight{InFlight: requests, Limit: int64(overload.MaxInFlight)},
		Streams:     console.InFlight{InFlight: streams, Limit: int64(overload.MaxStreams)},
		Connections: console.InFlight{InFlight: int64(g.with.connections.Open()), Limit: int64(server.MaxConnections)},
	}

	state.Ready, state.Checks = shownChecks(g.readiness())

	for route, inFlight := range g.with.overload.Routes() {
		state.Routes = append(state.Routes, console.RouteState{Method: route.Method, Path: route.Path, InFlight: inFlight})
	}

	for _, status := range current.backends.pool.Statuses() {
		state.Upstreams = append(state.Upstreams, shownUpstream(status))
	}

	if redis := current.stores.redis; redis != nil {
		state.Redis = &console.Redis{Breaker: redis.State().String(), Trouble: redis.Trouble()}
	}

	if level := observe.LevelOf(g.with.logger); level != nil {
		name, configured, until := level.State()
		state.Log = &console.Log{Level: name, Configured: configured, Until: until}
	}

	return state
}

func shownChecks(checks []admin.Check) (ready bool, shown []console.Check) {
	ready = true

	for _, c := range checks {
		state, detail := c.Check()
		shown = append(shown, console.Check{Name: c.Name, State: state, Detail: detail, Required: c.Required})
		ready = ready && (!c.Required || state == admin.OK)
	}

	return ready, shown
}

func shownUpstream(s upstream.Status) console.Upstream {
	u := console.Upstream{
		Name: s.Name, Breaker: console.Breaker{State: s.Breaker, Forced: s.Forced},
		InFlight: s.Calls, Waiting: s.InFlight, ConcurrencyLimit: s.Limit,
	}
	u.State, u.Detail = upstreamState(s)

	for rpc, state := range s.Methods {
		u.Methods = append(u.Methods, console.MethodBreaker{
			RPC: rpc, Breaker: console.Breaker{State: state, Forced: slices.Contains(s.ForcedMethods, rpc)},
		})
	}

	slices.SortFunc(u.Methods, func(a, b console.MethodBreaker) int { return strings.Compare(a.RPC, b.RPC) })

	for _, a := range s.Addresses {
		u.Addresses = append(u.Addresses, console.Address{Address: a.Address, State: a.State, Until: a.Until})
	}

	return u
}

func inMilliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
