package cache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
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
	clock atomic.Int64
	// writes is how many calls have ended that may have changed something.
	writes atomic.Int64
	shards [callShards]shard
	// running waits for the goroutines of all calls.
	running sync.WaitGroup
}

type shard struct {
	mu    sync.Mutex
	byKey map[Key]*call
	// replaced are calls that no further requests use.
	replaced map[*call]struct{}
	closed   bool
	ended    atomic.Uint64 // How many calls have left byKey. It is increased under the lock.
}

// call is a fetch in progress that requests share, as in singleflight.
type call struct {
	key Key
	// began is the time by the clock, and writes how many writes had ended by then.
	began, writes int64
	// deadline is when the fetch is over at the latest.
	deadline time.Time
	cancel   context.CancelFunc
	ctx      context.Context //nolint:containedctx // It is the context of the call's goroutine.
	values   values
	// done is closed when result is set.
	done   chan struct{}
	result result
	// release is called when the fetch has ended. It may be nil, and is set before the fetch is run.
	release func()

	waiters int  // Under the lock of the shard.
	shared  bool // That a follower was attached; under the same.
}

// values is a context with the values of a request, and a record of its own. It does not end.
type values struct {
	context.Context //nolint:containedctx // It is a context itself.

	// record is set before the call is run.
	record *reqinfo.Record
}

func (*values) Deadline() (deadline time.Time, ok bool) { return time.Time{}, false }
func (*values) Done() <-chan struct{}                   { return nil }
func (*values) Err() error                              { return nil }

// Value implements context.Context.
func (v *values) Value(key any) any {
	if reqinfo.IsKey(key) {
		return v.record
	}

	return v.Context.Value(key)
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
	// deadline is when a fetch that it begins is over at the latest.
	deadline time.Time
	// until is how long a call must have time for the request to use it. Zero: any call will do.
	until time.Time
	// fresh refuses calls that began before it came.
	fresh bool
	// tagged reports that tags show what a write has changed. Otherwise every write may have changed the response.
	tagged bool
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

// attach attaches the request to the call of its key, or begins one with the values of the context. Leaders and followers must be
// detached.
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
	case known != nil && f.usable(known, o):
		known.waiters++
		known.shared = true

		return known, follower
	case known == nil && o.retryable && s.ended.Load() != o.ended:
		return nil, retry
	default:
		return f.begin(ctx, s, key, o.deadline), leader
	}
}

// usable reports whether the result of a call may serve a request that comes now: no write has ended since the call began that may
// have changed it, and it has the time that the request asks for.
func (f *calls) usable(c *call, o attachOptions) bool {
	return (o.tagged || c.writes == f.writes.Load()) && !c.deadline.Before(o.until)
}

// begin puts a call into the shard, which is locked. It replaces one with the same key, for which others may still wait.
func (f *calls) begin(ctx context.Context, s *shard, key Key, deadline time.Time) *call {
	if old := s.byKey[key]; old != nil {
		s.remove(old)

		if s.replaced == nil {
			s.replaced = map[*call]struct{}{}
		}

		s.replaced[old] = struct{}{}
	}

	began := &call{
		key: key, began: f.now(), writes: f.writes.Load(), deadline: deadline, values: values{Context: ctx},
		done: make(chan struct{}), waiters: 1,
	}
	began.ctx, began.cancel = context.WithDeadline(&began.values, deadline)
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

	return f.begin(ctx, s, key, o.deadline), true
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

// awaited reports whether the call is still running, a request waits for it, and there is none that began later.
func (f *calls) awaited(c *call) bool {
	s := f.shardOf(c.key)

	s.mu.Lock()
	defer s.mu.Unlock()

	return s.byKey[c.key] == c && c.waiters > 0 && c.ctx.Err() == nil
}

// complete removes the call from the map: the next request begins another. It reports whether followers were attached to it.
func (f *calls) complete(c *call) (shared bool) {
	s := f.shardOf(c.key)

	s.mu.Lock()
	defer s.mu.Unlock()

	s.remove(c)

	return c.shared
}

// finish publishes the result, which is set. The goroutine of the call calls it last.
func (f *calls) finish(c *call) {
	f.complete(c)

	close(c.done)
	c.cancel()

	if c.release != nil {
		c.release()
	}

	f.running.Done()
}

func (s *shard) remove(c *call) {
	if s.byKey[c.key] == c {
		delete(s.byKey, c.key)
		s.ended.Add(1)
	} else {
		delete(s.replaced, c)
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

		for running := range s.replaced {
			running.cancel()
		}

		s.mu.Unlock()
	}

	f.running.Wait()
}
