package balance

import (
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
)

// wrapper is the policy at work on one connection. To the policy that it wraps it is gRPC; to gRPC it is that policy.
//
// What changes for an address is noted under mu, at any time and from anywhere. The loop alone notifies the child.
type wrapper struct {
	balancer.ClientConn

	options balancer.BuildOptions
	// group and child are set before the loop starts.
	group *Group
	child balancer.Balancer

	// childMu serialises the calls of the child's methods and listeners, as they demand. It is taken before mu, and never by what
	// the child calls.
	childMu sync.Mutex
	// mu is not held while calling anything outside of this package.
	mu       sync.Mutex
	members  map[string]*member
	subConns map[*subConn]struct{}

	kick chan struct{}
	stop chan struct{}
	loop sync.WaitGroup
}

// UpdateClientConnState is told of the addresses that the resolver has found.
func (w *wrapper) UpdateClientConnState(s balancer.ClientConnState) error {
	config, ok := s.BalancerConfig.(*child)
	if !ok {
		return fmt.Errorf("the configuration of %s is of type %T", Name, s.BalancerConfig)
	}

	w.start(config.builder, s.ResolverState)
	w.list(s.ResolverState)

	w.childMu.Lock()
	defer w.childMu.Unlock()
	defer w.wake()

	return w.child.UpdateClientConnState(balancer.ClientConnState{ResolverState: s.ResolverState, BalancerConfig: config.config})
}

// start begins to work with the first state. The kind of child never changes: gRPC builds a new wrapper for another service config.
func (w *wrapper) start(builder balancer.Builder, state resolver.State) {
	if w.child != nil {
		return
	}

	w.group = groupOf(state)
	w.child = builder.Build(w, w.options)
	w.stop = make(chan struct{})
	w.group.current.Store(w)
	w.loop.Go(w.run)
}

// list notes which addresses there are.
func (w *wrapper) list(state resolver.State) {
	w.mu.Lock()
	defer w.mu.Unlock()

	for _, m := range w.members {
		m.listed = false
	}

	for _, endpoint := range state.Endpoints {
		for _, address := range endpoint.Addresses {
			w.member(address.Addr).listed = true
		}
	}

	for _, m := range w.members {
		w.forget(m)
	}
}

// member returns that for the address. The caller holds the lock.
func (w *wrapper) member(address string) *member {
	m, ok := w.members[address]
	if !ok {
		m = &member{address: address, subConns: map[*subConn]struct{}{}}
		w.members[address] = m
	}

	return m
}

// forget drops the member if neither the resolver nor the child has a use for it. The caller holds the lock.
func (w *wrapper) forget(m *member) {
	if !m.listed && len(m.subConns) == 0 {
		delete(w.members, m.address)
	}
}

// UpdateState passes on what the child chooses by.
func (w *wrapper) UpdateState(s balancer.State) {
	s.Picker = &picker{child: s.Picker, wrapper: w}
	w.ClientConn.UpdateState(s)
}

// ResolverError is told that the resolver has found nothing.
func (w *wrapper) ResolverError(err error) {
	w.childMu.Lock()
	defer w.childMu.Unlock()

	// Before the first addresses there is no child yet, and gRPC itself fails the calls.
	if w.child != nil {
		w.child.ResolverError(err)
	}
}

// UpdateSubConnState is deprecated: each subchannel has a listener.
func (*wrapper) UpdateSubConnState(balancer.SubConn, balancer.SubConnState) {}

// ExitIdle connects.
func (w *wrapper) ExitIdle() {
	w.childMu.Lock()
	defer w.childMu.Unlock()

	if w.child != nil {
		w.child.ExitIdle()
	}
}

// Close ends the loop and waits for it. The probes end with the subchannels, which gRPC shuts down.
func (w *wrapper) Close() {
	if w.child == nil {
		return
	}

	w.group.current.CompareAndSwap(w, nil)
	close(w.stop)
	w.loop.Wait()

	w.childMu.Lock()
	defer w.childMu.Unlock()

	w.child.Close()
}

// wake has the loop look at everything again.
func (w *wrapper) wake() {
	select {
	case w.kick <- struct{}{}:
	default: // It will anyway.
	}
}

// run is the loop.
func (w *wrapper) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()

	for {
		select {
		case <-w.stop:
			return
		case <-w.kick:
		case <-timer.C:
		}

		w.mu.Lock()
		ejections, next := w.review(time.Now())
		w.mu.Unlock()

		for range ejections {
			w.group.observe(Failures)
		}

		w.deliver()

		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
	}
}

// deliver notifies the child of the subchannels that changed.
func (w *wrapper) deliver() {
	w.childMu.Lock()
	defer w.childMu.Unlock()

	for _, tell := range w.news() {
		tell()
	}
}

func (w *wrapper) news() []func() {
	w.mu.Lock()
	defer w.mu.Unlock()

	var list []func()

	for sc := range w.subConns {
		if listener, state := sc.listener, sc.effective(); sc.pending && listener != nil {
			list = append(list, func() { listener(state) })
		}

		sc.pending = false
	}

	return list
}
