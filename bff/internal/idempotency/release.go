package idempotency

import (
	"context"
	"sync"
	"time"
)

const (
	// maxReleases bounds the claims that are being released. Further ones expire with their leases.
	maxReleases = 1000
	// releasePause is the time between two attempts.
	releasePause = 500 * time.Millisecond
)

// releaser releases claims that the store may or may not have. A slow store may have executed them too late, and then the key could
// not be used until the end of the lease, although no request was executed.
type releaser struct {
	store   Store
	ctx     context.Context //nolint:containedctx // It is that of the Deduplicator, not a request's.
	stop    context.CancelFunc
	slots   chan struct{}
	running sync.WaitGroup
}

func newReleaser(store Store) *releaser {
	ctx, stop := context.WithCancel(context.Background())
	return &releaser{store: store, ctx: ctx, stop: stop, slots: make(chan struct{}, maxReleases)}
}

// release tries until the store has released the claim, or the lease is over.
func (r *releaser) release(claim Claim) {
	select {
	case r.slots <- struct{}{}:
	default:
		return
	}

	r.running.Go(func() {
		defer func() { <-r.slots }()

		ctx, cancel := context.WithTimeout(r.ctx, claim.Lease)
		defer cancel()

		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(releasePause):
			}

			if r.try(ctx, claim) {
				return
			}
		}
	})
}

func (r *releaser) try(ctx context.Context, claim Claim) bool {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()

	return r.store.Release(ctx, claim) == nil
}

func (r *releaser) close() {
	r.stop()
	r.running.Wait()
}
