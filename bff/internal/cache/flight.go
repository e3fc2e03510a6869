package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// flightShards spread the flights, so that few requests wait for one another's lock, and few look twice because another key's
// flight has just ended.
const flightShards = 256

// almost is how close to its deadline a flight has had its time: more than what requests need to come here, unless their clients
// send slowly.
const almost = time.Second

// flights are the fetches that are under way, at most one per key.
type flights struct {
	// clock orders requests and fetches.
	clock  atomic.Int64
	shards [flightShards]shard
	// running waits for the goroutines of all flights.
	running sync.WaitGroup
}

type shard struct {
	mu     sync.Mutex
	byKey  map[Key]*flight
	closed bool
	ended  atomic.Uint64 // How many flights have left the map. Goes up under the lock.
}

// flight is a fetch, and those who wait for it.
type flight struct {
	key Key
	// began is the time by the clock.
	began int64
	// deadline is when the fetch is over at the latest.
	deadline time.Time
	cancel   context.CancelFunc
	ctx      context.Context //nolint:containedctx // It is that of the flight's goroutine.
	// done is closed when result is there.
	done   chan struct{}
	result *result

	waiters int  // Under the lock of the shard.
	shared  bool // That somebody joined it; under the same.
}

// role is what a request is to a flight.
type role int

const (
	// leader has begun the flight and must run it.
	leader role = iota + 1
	// follower waits for a flight that another began.
	follower
	// watcher lets a flight end that it cannot use, and comes again.
	watcher
	// returner has to look into the store again, for a flight has ended since it did.
	returner
	// outsider is on its own: there are no flights any more.
	outsider
)

// wish is what a request expects of a flight.
type wish struct {
	// arrived is when the request came, by the clock.
	arrived int64
	// timeout is how long a fetch that begins for it may take.
	timeout time.Duration
	// fresh refuses flights that began before.
	fresh bool
	// ended is how many flights there had been when the request looked into the store. A returner is none if again is false.
	ended uint64
	again bool
}

func newFlights() *flights {
	f := &flights{}
	for i := range f.shards {
		f.shards[i].byKey = map[Key]*flight{}
	}

	return f
}

func (f *flights) now() int64 { return f.clock.Add(1) }

func (f *flights) of(key Key) *shard { return &f.shards[key[0]] }

// ended is how many flights of the key, and others, have ended.
func (f *flights) ended(key Key) uint64 { return f.of(key).ended.Load() }

// join takes the request aboard the flight of its key, or begins one under the context. Leaders and followers leave it again.
func (f *flights) join(ctx context.Context, key Key, w wish) (*flight, role) {
	s := f.of(key)

	s.mu.Lock()
	defer s.mu.Unlock()

	known := s.byKey[key]

	switch {
	case s.closed:
		return nil, outsider
	case known != nil && w.fresh && known.began < w.arrived:
		return known, watcher
	case known != nil:
		known.waiters++
		known.shared = true

		return known, follower
	case w.again && s.ended.Load() != w.ended:
		return nil, returner
	default:
		return f.begin(ctx, s, key, w.timeout), leader
	}
}

// begin puts a flight into the shard, which is locked.
func (f *flights) begin(ctx context.Context, s *shard, key Key, timeout time.Duration) *flight {
	began := &flight{key: key, began: f.now(), deadline: time.Now().Add(timeout), done: make(chan struct{}), waiters: 1}
	began.ctx, began.cancel = context.WithCancel(ctx)
	s.byKey[key] = began

	f.running.Add(1)

	return began
}

// background begins a flight for which nobody waits, unless there is one or has just been one.
func (f *flights) background(ctx context.Context, key Key, w wish) (*flight, bool) {
	s := f.of(key)

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.closed || s.byKey[key] != nil || s.ended.Load() != w.ended {
		return nil, false
	}

	return f.begin(ctx, s, key, w.timeout), true
}

// leave is for who waits no more, because of a deadline or not. The last one ends the flight; who comes then begins another. If
// that was a deadline and the flight has almost had its time, it goes on to its own: that a backend did not answer must not look
// like a client that hung up.
func (f *flights) leave(left *flight, deadline bool) {
	s := f.of(left.key)

	s.mu.Lock()
	defer s.mu.Unlock()

	if left.waiters--; left.waiters > 0 {
		return
	}

	s.remove(left)

	if !deadline || !left.almostOver() {
		left.cancel()
	}
}

func (fl *flight) almostOver() bool { return time.Until(fl.deadline) < almost }

// wanted reports whether the flight goes on and somebody waits for it.
func (f *flights) wanted(fl *flight) bool {
	s := f.of(fl.key)

	s.mu.Lock()
	defer s.mu.Unlock()

	return fl.waiters > 0 && fl.ctx.Err() == nil
}

// land takes the flight out of the map: anyone who comes now looks for another. It reports whether anybody has joined it.
func (f *flights) land(landed *flight) (shared bool) {
	s := f.of(landed.key)

	s.mu.Lock()
	defer s.mu.Unlock()

	s.remove(landed)

	return landed.shared
}

// end hands out the result. The flight's goroutine calls it last.
func (f *flights) end(ended *flight, r *result) {
	f.land(ended)

	ended.result = r
	close(ended.done)
	ended.cancel()
	f.running.Done()
}

func (s *shard) remove(gone *flight) {
	if s.byKey[gone.key] == gone {
		delete(s.byKey, gone.key)
		s.ended.Add(1)
	}
}

// close ends all flights and waits for them; those that nobody wants are almost over. There are no others after it.
func (f *flights) close() {
	for i := range f.shards {
		s := &f.shards[i]

		s.mu.Lock()

		s.closed = true
		for _, running := range s.byKey {
			running.cancel()
		}

		s.mu.Unlock()
	}

	f.running.Wait()
}
