package idempotency

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// maxLater bounds the calls of a kind that are repeated at a time. Further ones are given up: their claims expire with their
	// leases.
	maxLater = 1000
	// laterPause is the time between two attempts.
	laterPause = 500 * time.Millisecond
	// finishFor is how long a response is kept for a store that does not take it: as long as most outages. Larger bodies than
	// maxLaterBody are not kept; only that there was a response is stored then.
	finishFor    = 10 * time.Minute
	maxLaterBody = 64 << 10
)

// later repeats calls of the store that have failed, in the background.
type later struct {
	store   Store
	ctx     context.Context //nolint:containedctx // It is that of the Deduplicator, not a request's.
	stop    context.CancelFunc
	running sync.WaitGroup
	// mu is held while the context ends and while something begins, so that nothing begins after the end.
	mu sync.Mutex
	// In an outage there are many claims to release. They leave room for responses, whose loss is worse.
	releases, finishes chan struct{}
}

func newLater(store Store) *later {
	ctx, stop := context.WithCancel(context.Background())

	return &later{
		store: store, ctx: ctx, stop: stop, releases: make(chan struct{}, maxLater), finishes: make(chan struct{}, maxLater),
	}
}

// release releases a claim that the store may or may not have, until it is released or the lease is over. A slow store may have
// executed the claim too late, or may not have released it, and then the key could not be used until the end of the lease, although
// no request is executed.
func (l *later) release(claim Claim) {
	l.repeat(l.releases, claim.Lease, func(ctx context.Context) bool { return l.store.Release(ctx, claim) == nil })
}

// finish stores a response that the store did not take. Without it the write would be executed again by a request that comes after
// the end of the lease.
func (l *later) finish(claim Claim, res Response, ttl time.Duration) {
	if len(res.Body) > maxLaterBody {
		res = omitted(res)
	}

	l.repeat(l.finishes, finishFor, func(ctx context.Context) bool {
		err := l.store.Finish(ctx, claim, res, ttl)
		return err == nil || errors.Is(err, ErrLost)
	})
}

// repeat calls a function until it reports success, or the time is over, if there is a slot.
func (l *later) repeat(slots chan struct{}, over time.Duration, try func(context.Context) bool) {
	select {
	case slots <- struct{}{}:
	default:
		return
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	if l.ctx.Err() != nil {
		return
	}

	l.running.Go(func() {
		defer func() { <-slots }()

		ctx, cancel := context.WithTimeout(l.ctx, over)
		defer cancel()

		for {
			select {
			case <-ctx.Done():
				if l.ctx.Err() != nil {
					once(context.WithoutCancel(ctx), try) // The last chance.
				}

				return
			case <-time.After(laterPause):
			}

			if once(ctx, try) {
				return
			}
		}
	})
}

func once(ctx context.Context, try func(context.Context) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()

	return try(ctx)
}

// close ends all, each after one more attempt. What comes afterwards is given up.
func (l *later) close() {
	l.mu.Lock()
	l.stop()
	l.mu.Unlock()

	l.running.Wait()
}
