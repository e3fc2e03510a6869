package batch

import (
	"context"
	"errors"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// singlesAtOnce bounds the calls for single items that are made at the same time because their batch has failed.
const singlesAtOnce = 10

// batchKey identifies the calls that can be put into one batch: those that agree in the fields that the requests have in common.
type batchKey struct {
	layer  *layer
	rpc    string
	common string
}

// batch are calls for single items that become one. All but its work is guarded by the lock of calls.
type batch struct {
	key   batchKey
	items []batchItem
	work  *work
	// timer sends the batch in the end. Nil: none of its callers waits yet.
	timer *time.Timer
	// seen is the progress of the scope when the timer was set, and waited how often it has ended.
	seen   uint64
	waited int
}

// batchItem is a call in a batch.
type batchItem struct {
	item
	*call
}

// add puts a call into the batch that is pending, or begins one, under the lock.
func (g *calls) add(ctx context.Context, c *call, it item) {
	k := batchKey{layer: c.layer, rpc: c.rpc, common: string(it.common)}

	b := g.pending[k]
	if b == nil {
		b = &batch{key: k, work: new(work)}
		g.begin(ctx, b.work)

		if g.pending == nil {
			g.pending, g.slots = map[batchKey]*batch{}, make(chan struct{}, batchesAtOnce)
		}

		g.pending[k] = b
	}

	b.items = append(b.items, batchItem{it, c})
	b.work.waiters++
	c.batch, c.work = b, b.work

	if len(b.items) == c.method.many.MaxSize {
		g.send(b)
	}
}

// sendSoon sends the batch when nothing has happened for a while, if it is still pending.
func (g *calls) sendSoon(b *batch) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if g.pending[b.key] == b && b.timer == nil {
		b.seen, _ = g.scope.Progress()
		b.timer = time.AfterFunc(b.key.layer.quiet, func() { g.sendIfQuiet(b) })
	}
}

// sendIfQuiet sends a pending batch, unless goroutines that are about to run could add to it, or something has happened lately.
func (g *calls) sendIfQuiet(b *batch) {
	// Timers are ahead of goroutines that could run, but have not got their turn.
	runtime.Gosched()

	g.mu.Lock()
	defer g.mu.Unlock()

	if g.pending[b.key] != b {
		return
	}

	changes, waking := g.scope.Progress()
	b.waited++

	if waking && b.waited < maxWaking || changes != b.seen && b.waited < maxQuiet {
		b.seen = changes
		b.timer.Reset(b.key.layer.quiet)

		return
	}

	g.send(b)
}

// take makes a batch one to which nothing is added any more.
func (g *calls) take(b *batch) {
	delete(g.pending, b.key)

	if b.timer != nil {
		b.timer.Stop()
	}
}

// send makes the call of a batch that is pending, on a goroutine of its own, under the lock.
func (g *calls) send(b *batch) {
	g.take(b)

	go func() {
		defer g.running.Done()
		defer g.endWork(b.work)

		select {
		case g.slots <- struct{}{}:
			defer func() { <-g.slots }()
		case <-b.work.Done():
		}

		g.run(b)
	}()
}

// run makes the call of a batch, and those that are left to be made alone.
func (g *calls) run(b *batch) {
	items := g.awaited(b.items)

	// If an interceptor ends the goroutine.
	defer func() {
		for _, it := range items {
			g.finish(it.call, nil, errExited)
		}
	}()

	left := items

	if len(items) > 1 {
		replies, err := many(b.work, items)
		left = nil

		for i, it := range items {
			switch {
			case err != nil && !mayBeOfOne(err):
				g.finish(it.call, nil, err)
			case err != nil || replies[i] == nil:
				left = append(left, it)
			default:
				g.finish(it.call, replies[i], nil)
			}
		}
	}

	var group errgroup.Group

	group.SetLimit(singlesAtOnce)

	for _, it := range left {
		group.Go(func() error {
			g.single(it.call)

			return nil
		})
	}

	_ = group.Wait() // Each call has its own result.
}

// awaited are the items that somebody waits for.
func (g *calls) awaited(items []batchItem) []batchItem {
	g.mu.Lock()
	defer g.mu.Unlock()

	out := make([]batchItem, 0, len(items))

	for _, it := range items {
		if it.waiters > 0 {
			out = append(out, it)
		}
	}

	return out
}

// many makes the call for many items, and returns the encoded reply for each. It is nil for an item that the reply does not have.
func many(ctx context.Context, items []batchItem) ([][]byte, error) {
	m := items[0].method

	encoded := items[0].common
	for _, it := range items {
		encoded = append(encoded, it.element...)
	}

	request := m.manyRequest.New().Interface()
	if err := proto.Unmarshal(encoded, request); err != nil {
		return nil, status.Errorf(codes.Internal, "request of %s: %v", m.manyRPC, err)
	}

	raw, err := items[0].invoke.raw(ctx, m.manyRPC, request, m.manyReply)
	if err != nil {
		return nil, err
	}

	results, err := elements(raw, m.many.Results.Number())
	if err != nil {
		return nil, status.Errorf(codes.Internal, "reply of %s: %v", m.manyRPC, err)
	}

	return m.match(items, results), nil
}

// mayBeOfOne reports whether an error of a call for many items may be that of one of them, or of the method itself: such calls
// succeed or fail as a whole (https://google.aip.dev/231).
func mayBeOfOne(err error) bool {
	var known interface{ GRPCStatus() *status.Status }
	if !errors.As(err, &known) {
		return false
	}

	switch known.GRPCStatus().Code() {
	case codes.NotFound, codes.InvalidArgument, codes.PermissionDenied, codes.FailedPrecondition, codes.OutOfRange,
		codes.Unimplemented:
		return true
	default:
		return false
	}
}
