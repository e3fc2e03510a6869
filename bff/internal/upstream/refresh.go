package upstream

import (
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc/resolver"
)

// A name is looked up at once when an address fails. While addresses go on failing, or lookups do, the time between two lookups
// grows from minLookupGap to maxLookupGap. The latter is longer than the time between two attempts to connect to an address
// (maxBackoff), so one that stays down does not reset it.
const (
	minLookupGap = 250 * time.Millisecond
	maxLookupGap = 5 * time.Second
	lookupGrowth = 2
)

// refreshJitter spreads the lookups of many gateways: one may come earlier by this part of the interval.
const refreshJitter = 0.1

// refreshed is a resolver that resolves at intervals, so that new addresses get calls before others fail, and at once when gRPC
// asks for it (ResolveNow).
//
// Each lookup is made by a new resolver of gRPC: one looks up its name as soon as it is built, and then at most every 30 seconds
// (MinResolutionInterval of grpc 1.85), which can be changed only for the whole process.
type refreshed struct {
	build    func(resolver.ClientConn) (resolver.Resolver, error)
	cc       resolver.ClientConn
	interval time.Duration

	// gap is the least time between a lookup and the next one that is asked for.
	gap time.Duration

	asked chan struct{}
	stop  chan struct{}
	loop  sync.WaitGroup
}

func newRefreshed(
	interval time.Duration, cc resolver.ClientConn, build func(resolver.ClientConn) (resolver.Resolver, error),
) (resolver.Resolver, error) {
	r := &refreshed{
		build: build, cc: cc, interval: interval, gap: minLookupGap,
		asked: make(chan struct{}, 1), stop: make(chan struct{}),
	}

	// A target that cannot be resolved at all is an error here.
	first, err := r.begin()
	if err != nil {
		return nil, err
	}

	r.loop.Go(func() { r.run(first) })

	return r, nil
}

// ResolveNow implements resolver.Resolver.
func (r *refreshed) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case r.asked <- struct{}{}:
	default: // It is about to.
	}
}

// Close implements resolver.Resolver.
func (r *refreshed) Close() {
	close(r.stop)
	r.loop.Wait()
}

// lookup is one lookup, which ends with the first result that its resolver reports.
type lookup struct {
	resolver.ClientConn

	resolver resolver.Resolver
	ended    chan error
	// stop is closed when there is to be no result any more. DNS reports a lookup that was interrupted as one without addresses.
	stop <-chan struct{}
}

func (r *refreshed) begin() (l *lookup, err error) {
	l = &lookup{ClientConn: r.cc, ended: make(chan error, 1), stop: r.stop}
	l.resolver, err = r.build(l)

	return l, err
}

// UpdateState implements resolver.ClientConn.
func (l *lookup) UpdateState(state resolver.State) error {
	if l.stopped() {
		return nil
	}

	err := l.ClientConn.UpdateState(state)
	l.end(err)

	return err
}

// ReportError implements resolver.ClientConn.
func (l *lookup) ReportError(err error) {
	if l.stopped() {
		return
	}

	l.ClientConn.ReportError(err)
	l.end(err)
}

func (l *lookup) stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

func (l *lookup) end(err error) {
	select {
	case l.ended <- err:
	default: // It has ended.
	}
}

func (r *refreshed) run(current *lookup) {
	for err := r.finish(current); r.wait(err); {
		if current, err = r.begin(); err != nil {
			r.cc.ReportError(err)
		} else {
			err = r.finish(current)
		}
	}
}

// finish returns how the lookup ended.
func (r *refreshed) finish(l *lookup) (err error) {
	select {
	case err = <-l.ended:
	case <-r.stop:
	}

	l.resolver.Close()

	return err
}

// wait waits until the next lookup is due, after one that ended in this way. It reports false if there is to be none.
func (r *refreshed) wait(err error) bool {
	if err != nil {
		r.ResolveNow(resolver.ResolveNowOptions{})
	}

	last := time.Now()

	due := time.NewTimer(time.Duration(float64(r.interval) * (1 - refreshJitter*rand.Float64()))) //nolint:gosec // Not a secret.
	defer due.Stop()

	select {
	case <-r.stop:
		return false
	case <-due.C:
		// Nobody has asked since a lookup that succeeded.
		r.gap = minLookupGap
		return true
	case <-r.asked:
	}

	since := time.Since(last)
	if since > maxLookupGap {
		r.gap = minLookupGap
		return true
	}

	gap := time.NewTimer(r.gap - since)
	defer gap.Stop()

	r.gap = min(r.gap*lookupGrowth, maxLookupGap)

	select {
	case <-r.stop:
		return false
	case <-due.C:
	case <-gap.C:
	}

	return true
}
