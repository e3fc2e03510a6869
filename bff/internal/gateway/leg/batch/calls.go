package batch

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/tracing"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

const (
	// maxKept is how much of requests and replies is kept for identical calls of a request, in bytes: the largest reply that gRPC
	// takes by default. What does not fit is shared at the same time only.
	maxKept = 4 << 20
	// keptCall is about what keeping a call takes beside its messages.
	keptCall = 512
	// defaultQuiet is how long a batch waits while goroutines that could add to it do nothing that the gateway knows of: they
	// compute, sleep, or wait for something else. It is more than a goroutine waits for its turn on a busy machine.
	defaultQuiet = 10 * time.Millisecond
	// maxQuiet is how many times it waits for so long, if something has happened meanwhile.
	maxQuiet = 5
	// maxWaking is the same while a goroutine that could add to it is about to run, which takes long on a busy machine.
	maxWaking = 100
	// slots bounds the batches of a request, and the calls instead of one that has failed, that are made at the same time.
	slots = 10
)

// The attribute of the span of a leg that made no call of its own: it got the reply to an identical call that had ended, or to one
// that another leg made, for itself or for both as a batch.
const (
	attrShared    = "portico.leg.shared"
	sharedEarlier = "earlier"
	sharedCall    = "call"
)

// errExited is what those get who wait for a call that has panicked, or ended its goroutine.
var errExited = status.Error(codes.Internal, "the call has ended without a result")

// calls are those of one scope. They are safe for concurrent use.
type calls struct {
	scope *scope.Scope
	// slots are for batches, and calls instead of them. They are made with the first batch.
	slots chan struct{}

	mu sync.Mutex
	// made are those that are being made, or whose replies are kept.
	made map[key]*call
	kept int
	// pending are the batches that wait for more items.
	pending map[batchKey]*batch
	closed  bool
}

func callsOf(s *scope.Scope) *calls {
	c, _ := s.Local(func() scope.Local { return &calls{scope: s, made: map[key]*call{}} }).(*calls)

	return c
}

// do returns the encoded reply to a request: that of an identical call, or of this one. The calling goroutine does not count
// meanwhile.
func (g *calls) do(ctx context.Context, k key, l *leg) ([]byte, error) {
	g.mu.Lock()
	c, caller := g.join(ctx, k, l)
	finished, b := c.finished, c.batch
	g.mu.Unlock()

	if finished {
		tracing.From(ctx).Text(attrShared, sharedEarlier)

		return c.raw, c.err
	}

	if b != nil {
		scope.Park(ctx)
		defer scope.Resume(ctx)
	}

	g.scope.Leave()

	if b != nil {
		g.sendSoon(b)
	}

	if caller == nil {
		return g.single(ctx, c, l)
	}

	select {
	case <-caller.woken:
	case <-ctx.Done():
		if g.leave(c, caller) {
			return nil, status.FromContextError(ctx.Err()).Err()
		}
	}

	if !caller.leads {
		tracing.From(ctx).Text(attrShared, sharedCall)
		g.scope.Woken()

		return c.raw, c.err
	}

	return g.lead(ctx, c, l)
}

// join returns the identical call, or a new one, and the caller that waits for it. It is nil if there is nothing to wait for: the
// call has finished, or the caller leads it. It needs the lock.
func (g *calls) join(ctx context.Context, k key, l *leg) (*call, *caller) {
	if known := g.made[k]; known != nil {
		if known.finished {
			return known, nil
		}

		return known, known.join(ctx)
	}

	c := &call{key: k}

	if g.closed {
		c.err, c.finished = status.Error(codes.Canceled, "the composite has returned"), true

		return c, nil
	}

	g.made[k] = c

	it, ok := l.method.item(l.encoded)
	if !ok {
		c.led = true

		return c, nil
	}

	// First, because the batch may be sent.
	caller := c.join(ctx)
	g.add(l.method, batchItem{it, c})

	return c, caller
}

// lead makes the call that the caller was handed over: the batch, or one call alone.
func (g *calls) lead(ctx context.Context, c *call, l *leg) ([]byte, error) {
	g.mu.Lock()
	b := c.batch
	g.mu.Unlock()

	if b != nil {
		if raw, ok, err := g.many(ctx, b, c, l); ok {
			return raw, err
		}
	}

	return g.single(ctx, c, l)
}

// single makes a call alone.
func (g *calls) single(ctx context.Context, c *call, l *leg) (raw []byte, err error) {
	err = errExited
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()

		if gaveUp(ctx, err) {
			g.handOver(c)
			g.scope.Enter()

			return
		}

		g.finish(c, raw, err)
		g.scope.Woken()
	}()

	if c.fallback {
		if err := g.acquire(ctx); err != nil {
			return nil, err
		}
		defer g.release()
	}

	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}

	return l.call(ctx, c.rpc, l.req, l.reply)
}

// acquire waits for a slot.
func (g *calls) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return status.FromContextError(err).Err()
	}

	select {
	case g.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
}

func (g *calls) release() { <-g.slots }

// leave ends the wait of a caller. It reports false if the caller was woken.
func (g *calls) leave(c *call, caller *caller) bool {
	g.mu.Lock()
	defer g.mu.Unlock()

	if !c.leave(caller) {
		return false
	}

	if len(c.waiting) == 0 && !c.led {
		g.drop(c)
	}

	g.scope.Enter()

	return true
}

// handOver lets one of those who wait for a call make it, under the lock.
func (g *calls) handOver(c *call) {
	if c.led = wakeNext(&c.callers); !c.led {
		g.drop(c)
	}
}

// drop makes the next identical call another one, under the lock.
func (g *calls) drop(c *call) {
	if g.made[c.key] == c {
		delete(g.made, c.key)
	}
}

// finish publishes the result of a call, under the lock.
func (g *calls) finish(c *call, raw []byte, err error) {
	c.raw, c.err, c.finished = raw, err, true
	g.keep(c)

	woken := len(c.waiting)
	if c.led {
		woken++
	}

	// Before they run, so that no batch is sent without what they are going to call.
	g.scope.Wake(woken)
	c.end()
}

// keep keeps a call for identical ones that are made later, if it may be.
func (g *calls) keep(c *call) {
	if g.made[c.key] != c {
		return
	}

	size := keptCall + len(c.request) + len(c.raw)

	// What a stream has read long ago may be different now.
	if g.scope.Stream() || g.kept+size > maxKept {
		delete(g.made, c.key)

		return
	}

	g.kept += size
}

// forget makes the next call another one than those before.
func (g *calls) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()

	clear(g.made)

	g.kept = 0
}

// Idle sends what is pending: nobody can add to it.
func (g *calls) Idle() {
	g.mu.Lock()
	defer g.mu.Unlock()

	for _, b := range g.pending {
		g.send(b)
	}
}

// Close sends what is pending: those who still wait are on goroutines that the kit knows nothing of. There are no further calls.
func (g *calls) Close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()

	g.Idle()
}
