package batch

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// batchKey identifies the calls that can be put into one batch: those that agree in the fields that the requests have in common.
type batchKey struct {
	layer  *layer
	rpc    string
	common string
}

// batch are calls for single items that become one, which one of their callers makes. It is guarded by the lock of calls.
type batch struct {
	key   batchKey
	items []batchItem
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
func (g *calls) add(m *method, it batchItem) {
	k := batchKey{layer: it.layer, rpc: it.rpc, common: string(it.common)}

	b := g.pending[k]
	if b == nil {
		b = &batch{key: k}

		if g.pending == nil {
			g.pending, g.slots = map[batchKey]*batch{}, make(chan struct{}, slots)
		}

		g.pending[k] = b
	}

	b.items = append(b.items, it)
	it.batch = b

	if len(b.items) == m.many.MaxSize {
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

// send lets one of those who wait for a pending batch make the call, under the lock. Nothing is added to it any more.
func (g *calls) send(b *batch) {
	delete(g.pending, b.key)

	if b.timer != nil {
		b.timer.Stop()
	}

	handOver(b.items)
}

func handOver(items []batchItem) {
	waiting := make([]*callers, len(items))
	for i, it := range items {
		waiting[i] = &it.callers
	}

	wakeNext(waiting...)
}

// many makes the call of a batch for one of its callers, and returns the encoded reply to that one. It is not ok if the own call of
// the caller is to be made alone.
func (g *calls) many(ctx context.Context, b *batch, own *call, l *leg) (raw []byte, ok bool, err error) {
	items := g.awaited(b, own)
	if len(items) == 1 {
		return nil, false, nil
	}

	var replies [][]byte

	err = errExited
	defer func() { raw, ok, err = g.settle(ctx, own, items, replies, err) }()

	replies, err = l.many(ctx, g, items)

	return nil, true, err
}

// awaited are the items that somebody waits for. The caller's own is one of them.
func (g *calls) awaited(b *batch, own *call) []batchItem {
	g.mu.Lock()
	defer g.mu.Unlock()

	own.led = true
	b.items = slices.DeleteFunc(b.items, func(it batchItem) bool { return len(it.waiting) == 0 && !it.led })

	if len(b.items) == 1 {
		own.batch = nil
	}

	return b.items
}

// settle publishes what a batch ended with, for its own call and the others. What is left is made alone.
func (g *calls) settle(
	ctx context.Context, own *call, items []batchItem, replies [][]byte, err error,
) (raw []byte, ok bool, _ error) {
	g.mu.Lock()
	defer g.mu.Unlock()

	if gaveUp(ctx, err) {
		if own.led = false; len(own.waiting) == 0 {
			g.drop(own)
		}

		handOver(items)
		g.scope.Enter()

		return nil, true, err
	}

	for i, it := range items {
		switch {
		case err != nil && !mayBeOfOne(err):
			g.finish(it.call, nil, err)
		case err == nil && replies[i] != nil:
			g.finish(it.call, replies[i], nil)
		default:
			it.batch, it.fallback = nil, true

			if it.call != own {
				g.handOver(it.call)
			}
		}
	}

	if own.finished {
		g.scope.Woken()
	}

	return own.raw, own.finished, own.err
}

// many makes the call for many items, and returns the encoded reply for each. It is nil for an item that the reply does not have.
func (l *leg) many(ctx context.Context, g *calls, items []batchItem) ([][]byte, error) {
	if err := g.acquire(ctx); err != nil {
		return nil, err
	}
	defer g.release()

	m := l.method

	encoded := slices.Clone(items[0].common)
	for _, it := range items {
		encoded = append(encoded, it.element...)
	}

	request := m.manyRequest.New().Interface()
	if err := proto.Unmarshal(encoded, request); err != nil {
		return nil, status.Errorf(codes.Internal, "request of %s: %v", m.manyRPC, err)
	}

	tracing.From(ctx).Count("portico.batch.size", len(items))

	raw, err := l.call(ctx, m.manyRPC, request, m.manyReply.New().Interface())
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
// succeed or fail as a whole (https://google.aip.dev/231). So may that of a reply that is larger than the gateway accepts, unlike
// other errors of backends that lack resources.
func mayBeOfOne(err error) bool {
	var large interface{ RefusedReply() bool }
	if errors.As(err, &large) && large.RefusedReply() {
		return true
	}

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
