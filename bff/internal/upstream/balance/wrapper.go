package balance

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/resolver"
)

// wrapper is the policy of one connection. To the policy that it wraps it is gRPC; to gRPC it is that policy.
//
// Changes of an address are recorded under mu, at any time and on any goroutine. Only the loop notifies the child.
type wrapper struct {
	balancer.ClientConn

	options balancer.BuildOptions
	// group and child are set before the loop starts.
	group *Group
	child balancer.Balancer

	// childMu serializes the calls of the child's methods and listeners, as they require. It is locked before mu, and never by what
	// the child calls.
	childMu sync.Mutex
	// mu is not held while calling anything outside of this package.
	mu       sync.Mutex
	members  map[string]*member
	subConns map[*subConn]struct{}

	// sticky reports that callers keep to their addresses.
	sticky bool
	// reviewed is when reviewOutliers last woke the loop, in nanoseconds.
	reviewed atomic.Int64

	kick chan struct{}
	stop chan struct{}
	loop sync.WaitGroup
}

func (w *wrapper) UpdateClientConnState(s balancer.ClientConnState) error {
	config, ok := s.BalancerConfig.(*child)
	if !ok {
		return fmt.Errorf("the configuration of %s is of type %T", Name, s.BalancerConfig)
	}

	w.start(config.builder, s.ResolverState)
	w.updateAddresses(s.ResolverState)

	w.childMu.Lock()
	defer w.childMu.Unlock()
	defer w.wake()

	return w.child.UpdateClientConnState(balancer.ClientConnState{ResolverState: s.ResolverState, BalancerConfig: config.config})
}

// start starts the loop with the first state. The kind of child never changes: gRPC builds a new wrapper for another service
// config.
func (w *wrapper) start(builder balancer.Builder, state resolver.State) {
	if w.child != nil {
		return
	}

	w.group = groupOf(state)
	w.child = builder.Build(w, w.options)
	w.sticky = builder.Name() == ringHash
	w.stop = make(chan struct{})
	w.group.current.Store(w)
	w.loop.Go(w.run)
}

func (w *wrapper) updateAddresses(state resolver.State) {
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
		w.removeIfUnused(m)
	}

	w.group.drained.retain(func(address string) bool {
		m, known := w.members[address]
		return known && m.listed
	})
}

// member returns that for the address. The caller holds the lock.
func (w *wrapper) member(address string) *member {
	m, ok := w.members[address]
	if !ok {
		m = &member{address: address, subConns: map[*subConn]struct{}{}, drained: w.group.drained.has(address)}
		w.members[address] = m
	}

	return m
}

// removeIfUnused removes the member if neither the resolver nor the child has a use for it. The caller holds the lock.
func (w *wrapper) removeIfUnused(m *member) {
	if !m.listed && len(m.subConns) == 0 {
		delete(w.members, m.address)
	}
}

// UpdateState passes on the child's state, with a picker around its own.
func (w *wrapper) UpdateState(s balancer.State) {
	s.Picker = &picker{child: s.Picker, wrapper: w}
	w.ClientConn.UpdateState(s)
}

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

// wake makes the loop review all members.
func (w *wrapper) wake() {
	select {
	case w.kick <- struct{}{}:
	default: // It is about to.
	}
}

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
		verdicts, next := w.review(time.Now())
		w.mu.Unlock()

		for _, v := range verdicts {
			w.group.tell(v)
		}

		w.notifyChild()

		if next.IsZero() {
			timer.Stop()
		} else {
			timer.Reset(time.Until(next))
		}
	}
}

func (w *wrapper) notifyChild() {
	w.childMu.Lock()
	defer w.childMu.Unlock()

	for _, notify := range w.pendingUpdates() {
		notify()
	}
}

func (w *wrapper) pendingUpdates() []func() {
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
