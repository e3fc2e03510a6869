package idempotency

import (
	"context"
	"sync"
	"time"
)

const (
	// maxUndone bounds the claims that are being given back. The leases of further ones run out.
	maxUndone = 1000
	// undoPause is between two tries.
	undoPause = 500 * time.Millisecond
)

// undo releases claims that the store may or may not have. A store that was slow may have carried them out
// afterwards, and then nobody could use the key until the lease is over, although nothing was done.
type undo struct {
	store   Store
	life    context.Context //nolint:containedctx // It is the keeper's life, not a request's.
	stop    context.CancelFunc
	slots   chan struct{}
	running sync.WaitGroup
}

func newUndo(store Store) *undo {
	life, stop := context.WithCancel(context.Background())

	return &undo{store: store, life: life, stop: stop, slots: make(chan struct{}, maxUndone)}
}

// release tries until the store says that it has done so, or the lease is over.
func (u *undo) release(claim Claim) {
	select {
	case u.slots <- struct{}{}:
	default:
		return
	}

	u.running.Go(func() {
		defer func() { <-u.slots }()

		ctx, cancel := context.WithTimeout(u.life, claim.Lease)
		defer cancel()

		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(undoPause):
			}

			if u.try(ctx, claim) {
				return
			}
		}
	})
}

func (u *undo) try(ctx context.Context, claim Claim) bool {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()

	return u.store.Release(ctx, claim) == nil
}

func (u *undo) close() {
	u.stop()
	u.running.Wait()
}
