package auth

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds on when keys are fetched.
const (
	// retryInterval is how long to wait after a failed fetch, if the refresh interval is not shorter.
	retryInterval = 10 * time.Second
	// minInterval is how soon keys are fetched again at the earliest, if the refresh interval is not shorter, whatever the issuer
	// says about how long they hold.
	minInterval = 30 * time.Second
	// maxWait is how long a request may wait for keys.
	maxWait = 2 * time.Second
)

// fetchFunc gets the keys from where they are, and tells how long they hold; zero: it is not said.
type fetchFunc func(ctx context.Context) (keySet, time.Duration, error)

// keySource are the keys of an issuer as they were fetched last. One goroutine, run, fetches them; requests only wait for it. It
// is safe for concurrent use.
type keySource struct {
	fetch    fetchFunc
	interval time.Duration
	logger   *slog.Logger
	keys     atomic.Pointer[keySet]
	// generation changes with the keys, and only with them: what was found out with others does not count any more.
	generation atomic.Uint64
	// failed reports that the last fetch did not work.
	failed atomic.Bool
	// firstRetry is how long to wait between fetches before the first one has worked. Only run uses it.
	firstRetry time.Duration
	ended      chan struct{} // Closed when run returns.
	demand     chan struct{} // Wakes run.

	mu sync.Mutex
	// fetched is closed at the end of the fetch that is under way or asked for. Nil: there is none.
	fetched chan struct{}
	// nextDemand is when requests may ask for a fetch again.
	nextDemand time.Time
}

func newKeySource(fetch fetchFunc, interval time.Duration, logger *slog.Logger) *keySource {
	return &keySource{
		fetch: fetch, interval: interval, logger: logger,
		ended: make(chan struct{}), demand: make(chan struct{}, 1),
		// The first fetch counts as asked for, so that requests wait for it.
		fetched: make(chan struct{}),
	}
}

// current returns the keys as they are known; nil before any are.
func (k *keySource) current() keySet {
	if set := k.keys.Load(); set != nil {
		return *set
	}

	return nil
}

// renewed returns the keys once the issuer was asked for them anew, and reports whether they are what it has now, as far as can be
// known. A fetch that is under way already may have begun before the issuer published the key with this id; if it did not bring the
// key, the next one does.
func (k *keySource) renewed(ctx context.Context, kid string) (keySet, bool) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()

	for range 2 {
		fetched := k.ask(time.Now())
		if fetched == nil {
			break
		}

		select {
		case <-fetched:
		case <-ctx.Done():
			return k.current(), false
		case <-k.ended:
			return k.current(), false
		}

		if k.failed.Load() || kid == "" || k.current().has(kid) {
			break
		}
	}

	return k.current(), !k.failed.Load()
}

// ask returns what is closed at the end of the fetch that is under way. If there is none it asks for one, unless requests have done
// so in this interval already: then it returns nil. So, however many tokens with invented key ids arrive, they cause one fetch per
// interval.
func (k *keySource) ask(now time.Time) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()

	if k.fetched == nil {
		if now.Before(k.nextDemand) {
			return nil
		}

		k.nextDemand = now.Add(k.interval)
		k.fetched = make(chan struct{})

		k.demand <- struct{}{} // There is room: begin has emptied it since the last time.
	}

	return k.fetched
}

// run fetches the keys now, at intervals and on demand, until ctx ends.
func (k *keySource) run(ctx context.Context) {
	defer close(k.ended)

	for {
		pause := k.refresh(ctx)

		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()

			return
		case <-timer.C:
		case <-k.demand:
			timer.Stop()
		}
	}
}

// refresh fetches the keys once and returns when to do so again. If it does not work the old ones stay.
func (k *keySource) refresh(ctx context.Context) time.Duration {
	k.begin()
	defer k.finish()

	set, holds, err := k.fetch(ctx)
	failedBefore := k.failed.Swap(err != nil)

	if err != nil {
		if ctx.Err() == nil && !failedBefore {
			k.logger.LogAttrs(ctx, slog.LevelWarn, "issuer keys cannot be fetched; it is tried again",
				slog.Any("error", err), slog.Bool("have_keys", k.current() != nil))
		}

		return k.retry()
	}

	if failedBefore {
		k.logger.LogAttrs(ctx, slog.LevelInfo, "issuer keys fetched again")
	}

	k.replace(set)

	return k.pause(holds)
}

// retry is how long to wait after a failed fetch. Without any keys it is short at first: the issuer may be just starting, and
// the gateway is not ready without it.
func (k *keySource) retry() time.Duration {
	pause := min(k.interval, retryInterval)
	if k.current() != nil {
		return pause
	}

	k.firstRetry = min(max(k.firstRetry+k.firstRetry, time.Second), retryInterval)

	return min(pause, k.firstRetry)
}

// replace takes a key set, and makes a new generation of it if it differs from the one before.
func (k *keySource) replace(set keySet) {
	if before := k.keys.Load(); before != nil && before.equal(set) {
		return
	}

	k.keys.Store(&set)
	k.generation.Add(1)
}

// pause is how long to wait before keys that hold for this long are fetched again: ahead of their end, but not without cease.
func (k *keySource) pause(holds time.Duration) time.Duration {
	const ahead = 10

	if holds <= 0 {
		return k.interval
	}

	return min(k.interval, max(holds-holds/ahead, minInterval))
}

// begin makes requests join this fetch, those that have asked already among them.
func (k *keySource) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()

	if k.fetched == nil {
		k.fetched = make(chan struct{})
	}

	select {
	case <-k.demand:
	default:
	}
}

func (k *keySource) finish() {
	k.mu.Lock()
	defer k.mu.Unlock()

	close(k.fetched)
	k.fetched = nil
}
