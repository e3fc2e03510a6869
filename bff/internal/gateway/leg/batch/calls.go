package batch

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
	// batchesAtOnce bounds the batches of a request that are made at the same time.
	batchesAtOnce = 10
)

// calls are those of one scope. They are safe for concurrent use.
type calls struct {
	scope *scope.Scope
	// slots bound the batches at a time. They are made with the first batch.
	slots chan struct{}
	// running are the goroutines that make calls.
	running sync.WaitGroup

	mu sync.Mutex
	// made are those that are being made, or whose replies are kept.
	made map[key]*call
	kept int
	// pending are the batches that wait for more items.
	pending map[batchKey]*batch
	// works are the contexts of all calls that are being made or pending.
	works  map[*work]struct{}
	closed bool
}

func callsOf(s *scope.Scope) *calls {
	c, _ := s.Local(func() scope.Local {
		return &calls{scope: s, made: map[key]*call{}, works: map[*work]struct{}{}}
	}).(*calls)

	return c
}

// join joins the identical call, or begins the one that is given. The caller must wait for the call that is returned, and say
// whether it had ended.
func (g *calls) join(ctx context.Context, c *call) (joined *call, ended bool) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if known := g.made[c.key]; known != nil {
		if !known.finished {
			known.waiters++
			known.work.waiters++
		}

		return known, known.finished
	}

	c.done, c.waiters = make(chan struct{}), 1

	if g.closed {
		c.err, c.finished = status.Error(codes.Canceled, "the composite has returned"), true
		close(c.done)

		return c, true
	}

	g.made[c.key] = c

	if item, ok := c.method.item(c.encoded); ok {
		g.add(ctx, c, item)

		return c, false
	}

	c.work = &c.own
	c.work.waiters = 1
	g.begin(ctx, c.work)

	go g.alone(c)

	return c, false
}

// alone makes a call that is in no batch.
func (g *calls) alone(c *call) {
	defer g.running.Done()
	defer g.endWork(c.work)

	g.single(c)
}

// single makes a call alone.
func (g *calls) single(c *call) {
	raw, err := []byte(nil), errExited
	defer func() { g.finish(c, raw, err) }()

	raw, err = c.make(c.work)
}

// errExited is the error of a call whose goroutine has ended.
var errExited = status.Error(codes.Internal, "the goroutine of the call has ended")

// begin begins the context of a call, and counts the goroutine that is going to make it, under the lock.
func (g *calls) begin(ctx context.Context, w *work) {
	w.begin(ctx, g.scope.Context())
	g.works[w] = struct{}{}
	g.running.Add(1)
}

func (g *calls) endWork(w *work) {
	g.mu.Lock()
	delete(g.works, w)
	g.mu.Unlock()

	w.end(context.Canceled)
}

// wait returns the encoded reply of a call that the caller has joined. The calling goroutine does not count meanwhile.
func (g *calls) wait(ctx context.Context, c *call, ended bool) ([]byte, error) {
	// One that ends only now has counted its caller as woken.
	if ended {
		return c.raw, c.err
	}

	if c.batch != nil {
		scope.Park(ctx)
		defer scope.Resume(ctx)
	}

	g.scope.Leave()

	if c.batch != nil {
		g.sendSoon(c.batch)
	}

	select {
	case <-c.done:
	case <-ctx.Done():
		if err := ctx.Err(); g.leave(c, err) {
			return nil, status.FromContextError(err).Err()
		}

		<-c.done
	}

	g.scope.Woken()

	return c.raw, c.err
}

// leave ends the wait of a caller. It reports false if the call has ended.
func (g *calls) leave(c *call, cause error) bool {
	g.mu.Lock()

	if c.finished {
		g.mu.Unlock()

		return false
	}

	c.waiters--
	c.work.waiters--

	// The next identical call is another one.
	if c.waiters == 0 && g.made[c.key] == c {
		delete(g.made, c.key)
	}

	abandoned := c.work.waiters == 0
	if abandoned && c.batch != nil && g.pending[c.batch.key] == c.batch {
		g.take(c.batch)
		delete(g.works, c.work)
		g.running.Done()
	}

	g.mu.Unlock()
	g.scope.Enter()

	if abandoned {
		c.work.end(cause)
	}

	return true
}

// finish publishes the result of a call, once.
func (g *calls) finish(c *call, raw []byte, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if c.finished {
		return
	}

	c.raw, c.err, c.finished = raw, err, true
	c.work.waiters -= c.waiters
	c.encoded = nil // It is not made again.
	g.keep(c)

	// Before they run, so that no batch is sent without what they are going to call.
	g.scope.Wake(c.waiters)
	close(c.done)
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

// Close ends all calls that somebody still waits for, who must be on a goroutine that the kit knows nothing of.
func (g *calls) Close() {
	g.mu.Lock()
	g.closed = true

	for _, b := range g.pending {
		g.send(b)
	}

	works := slices.Collect(maps.Keys(g.works))
	g.mu.Unlock()

	for _, w := range works {
		w.end(context.Canceled)
	}

	g.running.Wait()
}
