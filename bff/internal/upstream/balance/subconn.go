package balance

import (
	"errors"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// subConn is a subchannel as the child sees it: unhealthy while its address is ejected. The wrapper's lock guards what changes.
type subConn struct {
	balancer.SubConn

	wrapper *wrapper
	member  *member
	conns   *conns

	state connectivity.State
	// listener is the child's for the health, and nil while the subchannel is not ready.
	listener func(balancer.SubConnState)
	// health is the result of gRPC's health check.
	health balancer.SubConnState
	// pending reports that the listener is to be notified.
	pending bool
	stopped func()
}

// Why the child does not use an address that can be reached.
var (
	errEjected = errors.New("the address is ejected because its calls failed")
	errDrained = errors.New("the address is drained by an operator")
)

func (w *wrapper) NewSubConn(addresses []resolver.Address, options balancer.NewSubConnOptions) (balancer.SubConn, error) {
	sc := &subConn{
		wrapper: w, conns: &conns{upstream: w.group.name},
		health: balancer.SubConnState{ConnectivityState: connectivity.Connecting},
	}

	known := make([]resolver.Address, 0, len(addresses))
	for _, address := range addresses {
		known = append(known, sc.conns.at(address))
	}

	listener := options.StateListener
	options.StateListener = func(s balancer.SubConnState) { sc.update(s, listener) }

	inner, err := w.ClientConn.NewSubConn(known, options) //nolint:staticcheck // It is deprecated only for more than one address.
	if err != nil {
		return nil, err
	}

	sc.SubConn = inner

	w.mu.Lock()
	defer w.mu.Unlock()

	// gRPC's policies make a subchannel for each address.
	sc.member = w.member(addresses[0].Addr)
	sc.member.subConns[sc] = struct{}{}
	w.subConns[sc] = struct{}{}

	return sc, nil
}

func (sc *subConn) update(s balancer.SubConnState, listener func(balancer.SubConnState)) {
	sc.wrapper.childMu.Lock()
	changed := sc.setState(s.ConnectivityState)
	listener(s)
	sc.wrapper.childMu.Unlock()

	if changed {
		sc.wrapper.group.logReachable(sc.member.address, s.ConnectionError)
	}

	sc.stopProbe()

	if s.ConnectivityState == connectivity.Ready {
		sc.startProbe()
	}

	sc.wrapper.wake()
}

// setState sets the state and resets what was known of the previous connection. It reports whether the address has become
// unreachable, or reachable again.
func (sc *subConn) setState(state connectivity.State) (changed bool) {
	sc.wrapper.mu.Lock()
	defer sc.wrapper.mu.Unlock()

	sc.state = state
	sc.listener, sc.pending, sc.health.ConnectivityState = nil, false, connectivity.Connecting

	switch state {
	case connectivity.Ready:
		changed = sc.member.unreachable
		sc.member.unresponsive, sc.member.unreachable = false, false
	case connectivity.TransientFailure:
		changed = !sc.member.unreachable
		sc.member.unreachable = true
	case connectivity.Shutdown:
		delete(sc.wrapper.subConns, sc)
		delete(sc.member.subConns, sc)
		sc.wrapper.removeIfUnused(sc.member)
	default:
	}

	return changed
}

// RegisterHealthListener is called by the child when the subchannel is ready. The loop notifies the listener.
func (sc *subConn) RegisterHealthListener(listener func(balancer.SubConnState)) {
	sc.wrapper.mu.Lock()
	sc.listener = listener
	sc.wrapper.mu.Unlock()

	if listener == nil {
		sc.SubConn.RegisterHealthListener(nil)
		return
	}

	sc.SubConn.RegisterHealthListener(func(s balancer.SubConnState) {
		sc.wrapper.mu.Lock()
		sc.health, sc.pending = s, true
		changed := sc.member.changeServing(s.ConnectivityState)
		sc.wrapper.mu.Unlock()

		if changed {
			sc.wrapper.group.logServing(sc.member.address, s.ConnectionError)
		}

		sc.wrapper.wake()
	})
}

// healthy reports whether calls would get through. The caller holds the lock.
func (sc *subConn) healthy() bool {
	return sc.state == connectivity.Ready && sc.health.ConnectivityState == connectivity.Ready
}

// effective is the health that the child sees. The caller holds the lock.
func (sc *subConn) effective() balancer.SubConnState {
	switch {
	case sc.member.drained:
		return balancer.SubConnState{ConnectivityState: connectivity.TransientFailure, ConnectionError: errDrained}
	case sc.member.ejected():
		return balancer.SubConnState{ConnectivityState: connectivity.TransientFailure, ConnectionError: errEjected}
	}

	return sc.health
}
