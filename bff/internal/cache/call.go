package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// callShards spread the calls, so that few requests wait for one another's lock, and few look twice because the call of another key
// has just ended.
const callShards = 256

// nearDeadline is the time before its deadline in which a call is almost over: more than requests need to get here, unless their
// clients send slowly.
const nearDeadline = time.Second

// calls are the fetches in progress, at most one per key.
type calls struct {
	// clock orders requests and fetches.
	clock  atomic.Int64
	shards [callShards]shard
	// running waits for the goroutines of all calls.
	running sync.WaitGroup
}

type shard struct {
	mu     sync.Mutex
	byKey  map[Key]*call
	closed bool
	ended  atomic.Uint64 // How many calls have left the map. It is increased under the lock.
}

// call is a fetch in progress that requests share, as in singleflight.
type call struct {
	key Key
	// began is the time by the clock.
	began int64
	// deadline is when the fetch is over at the latest.
	deadline time.Time
	cancel   context.CancelFunc
	ctx      context.Context //nolint:containedctx // It is the context of the call's goroutine.
	// done is closed when result is set.
	done   chan struct{}
	result *result

	waiters int  // Under the lock of the shard.
	shared  bool // That a follower was attached; under the same.
}

type role int

const (
	// leader began the call and must run it.
	leader role = iota + 1
	// follower waits for a call that another began.
	follower
	// waiter waits for the end of a call that it cannot use, and then tries again.
	waiter
	// retry has to look into the store again, because a call has ended since it did so.
	retry
	// bypass is not shared: the cache is closed.
	bypass
)

type attachOptions struct {
	// arrived is when the request came, by the clock.
	arrived int64
	// timeout is how long a fetch that it begins may take.
	timeout time.Duration
	// fresh refuses calls that began before it came.
	fresh bool
	// ended is how many calls had ended when the request looked into the store. If more have by now, it is a retry, if retryable.
	ended     uint64
	retryable bool
}

func newCalls() *calls {
	c := &calls{}
	for i := range c.shards {
		c.shards[i].byKey = map[Key]*call{}
	}

	return c
}

func (f *calls) now() int64 { return f.clock.Add(1) }

func (f *calls) shardOf(key Key) *shard { return &f.shards[key[0]] }

// ended is how many calls of the key, and others, have ended.
func (f *calls) ended(key Key) uint64 { return f.shardOf(key).ended.Load() }

// attach attaches the request to the call of its key, or begins one under the context. Leaders and followers must be detached.
func (f *calls) attach(ctx context.Context, key Key, o attachOptions) (*call, role) {
	s := f.shardOf(key)

	s.mu.Lock()
	defer s.mu.Unlock()

	known := s.byKey[key]

	switch {
	case s.closed:
		return nil, bypass
	case known != nil && o.fresh && known.began < o.arrived:
		return known, waiter
	case known != nil:
		known.waiters++
		known.shared = true

		return known, follower
	case o.retryable && s.ended.Load() != o.ended:
		return nil, retry
	default:
		return f.begin(ctx, s, key, o.timeout), leader
	}
}

// begin puts a call into the shard, which is locked.
func (f *calls) begin(ctx context.Context, s *shard, key Key, timeout time.Duration) *call {
	began := &call{key: key, began: f.now(), deadline: time.Now().Add(timeout), done: make(chan struct{}), waiters: 1}
	began.ctx, began.cancel = context.WithCancel(ctx)
	s.byKey[key] = began

	f.running.Add(1)

	return began
}

// background begins a call without waiting requests, unless there is one or one has ended since the lookup.
func (f *calls) background(ctx context.Context, key Key, o attachOptions) (*call, bool) {
	s := f.shardOf(key)

	s.mu.Lock()
	defer s.mu.Unlock()

	if s.closed || s.byKey[key] != nil || s.ended.Load() != o.ended {
		return nil, false
	}

	return f.begin(ctx, s, key, o.timeout), true
}

// detach detaches a request that no longer waits. The last one ends the call, unless that is because of its deadline and the call
// is almost over, too: a backend that did not reply must not look like a client that hung up.
func (f *calls) detach(c *call, deadline bool) {
	s := f.shardOf(c.key)

	s.mu.Lock()
	defer s.mu.Unlock()

	if c.waiters--; c.waiters > 0 {
		return
	}

	s.remove(c)

	if !deadline || !c.almostOver() {
		c.cancel()
	}
}

func (c *call) almostOver() bool { return time.Until(c.deadline) < nearDeadline }

// awaited reports whether the call is still running and a request waits for it.
func (f *calls) awaited(c *call) bool {
	s := f.shardOf(c.key)

	s.mu.Lock()
	defer s.mu.Unlock()

	return c.waiters > 0 && c.ctx.Err() == nil
}

// complete removes the call from the map: the next request begins another. It reports whether followers were attached to it.
func (f *calls) complete(c *call) (shared bool) {
	s := f.shardOf(c.key)

	s.mu.Lock()
	defer s.mu.Unlock()

	s.remove(c)

	return c.shared
}

// finish publishes the result. The goroutine of the call calls it last.
func (f *calls) finish(c *call, r *result) {
	f.complete(c)

	c.result = r
	close(c.done)
	c.cancel()
	f.running.Done()
}

func (s *shard) remove(c *call) {
	if s.byKey[c.key] == c {
		delete(s.byKey, c.key)
		s.ended.Add(1)
	}
}

// close ends all calls and waits for them, including those that no request waits for. There are no others after it.
func (f *calls) close() {
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
