package auth

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// retryInterval is how long to wait after a failed fetch, if the refresh interval is not shorter.
	retryInterval = 10 * time.Second
	// minInterval is the shortest time between fetches, if the refresh interval is not shorter, whatever max-age the issuer sends.
	minInterval = 30 * time.Second
	// maxWait is how long a request may wait for keys.
	maxWait = 2 * time.Second
	// issuedInterval is the shortest time between fetches for tokens that their issuer has just sent, if the refresh interval is
	// not shorter.
	issuedInterval = 5 * time.Second
)

// issuedKey is the key of a context for tokens that their issuer has just sent to the gateway.
type issuedKey struct{}

// justIssued returns the context for a token that its issuer has just sent. A key that is not known is fetched even if the fetch
// of the interval was used up by tokens that anyone can invent. While that is not possible the error is errNoKeys.
func justIssued(ctx context.Context) context.Context {
	return context.WithValue(ctx, issuedKey{}, true)
}

// fetchFunc fetches the keys, and returns how long they are fresh; zero: that is unknown.
type fetchFunc func(ctx context.Context) (keySet, time.Duration, error)

// keySource has the keys of an issuer as they were fetched last. One goroutine, run, fetches them; requests only wait for it. It is
// safe for concurrent use.
type keySource struct {
	fetch    fetchFunc
	interval time.Duration
	logger   *slog.Logger
	keys     atomic.Pointer[keySet]
	// generation changes with the keys, and only with them: cached results of other keys are not valid any more.
	generation atomic.Uint64
	// lastFetch is when they were last fetched, in nanoseconds since 1970; zero: never.
	lastFetch atomic.Int64
	// failed reports that the last fetch failed.
	failed atomic.Bool
	// firstRetry is how long to wait between fetches before the first success. Only run uses it.
	firstRetry time.Duration
	ended      chan struct{} // Closed when run returns.
	wake       chan struct{} // Wakes run.

	mu sync.Mutex
	// fetched is closed at the end of the fetch that is running or requested. Nil: there is none.
	fetched chan struct{}
	// lastRequest is when a fetch was requested last.
	lastRequest time.Time
}

func newKeySource(fetch fetchFunc, interval time.Duration, logger *slog.Logger) *keySource {
	return &keySource{
		fetch: fetch, interval: interval, logger: logger,
		ended: make(chan struct{}), wake: make(chan struct{}, 1),
		// The first fetch counts as requested, so that requests wait for it.
		fetched: make(chan struct{}),
	}
}

// current returns the keys; nil before the first fetch.
func (k *keySource) current() keySet {
	if set := k.keys.Load(); set != nil {
		return *set
	}

	return nil
}

// renewed returns the keys after a new fetch, and reports whether they are up to date. A fetch that is already running may have
// begun before the issuer published the key with this id; if the key is not in its result, it waits for the next one.
func (k *keySource) renewed(ctx context.Context, kid string) (keySet, bool) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()

	interval, issued := k.interval, ctx.Value(issuedKey{}) != nil
	if issued {
		interval = min(interval, issuedInterval)
	}

	for i := range 2 {
		fetched := k.ask(time.Now(), interval)
		if fetched == nil {
			if issued && i == 0 {
				return k.current(), false
			}

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

// ask returns a channel that is closed at the end of the running fetch. If none is running it requests one, unless that was done in
// this interval already: then it returns nil. So any number of tokens with invented key ids causes one fetch per interval.
func (k *keySource) ask(now time.Time, interval time.Duration) <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()

	if k.fetched == nil {
		if now.Before(k.lastRequest.Add(interval)) {
			return nil
		}

		k.lastRequest = now
		k.fetched = make(chan struct{})

		k.wake <- struct{}{} // There is room: begin has emptied it since the last time.
	}

	return k.fetched
}

// run fetches the keys now, at intervals and on request, until ctx ends.
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
		case <-k.wake:
			timer.Stop()
		}
	}
}

// refresh fetches the keys once and returns when to do so again. If it fails, the old ones stay.
func (k *keySource) refresh(ctx context.Context) time.Duration {
	k.begin()
	defer k.finish()

	set, freshFor, err := k.fetch(ctx)
	failedBefore := k.failed.Swap(err != nil)

	if err != nil {
		if ctx.Err() == nil && !failedBefore {
			k.logger.LogAttrs(ctx, slog.LevelWarn, "issuer keys cannot be fetched; trying again",
				slog.Any("error", err), slog.Bool("have_keys", k.current() != nil))
		}

		return k.retry()
	}

	if failedBefore {
		k.logger.LogAttrs(ctx, slog.LevelInfo, "issuer keys fetched again")
	}

	k.replace(set)

	return k.pause(freshFor)
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

// replace replaces the key set by one that was fetched now, and begins a new generation if it differs from the one before.
func (k *keySource) replace(set keySet) {
	k.lastFetch.Store(time.Now().UnixNano())

	if before := k.keys.Load(); before != nil && before.equal(set) {
		return
	}

	k.keys.Store(&set)
	k.generation.Add(1)
}

// pause is how long to wait before keys that are fresh for this long are fetched again: before their end, but not too often.
func (k *keySource) pause(freshFor time.Duration) time.Duration {
	const ahead = 10

	if freshFor <= 0 {
		return k.interval
	}

	return min(k.interval, max(freshFor-freshFor/ahead, minInterval))
}

// begin makes requests join this fetch, including those that have requested it.
func (k *keySource) begin() {
	k.mu.Lock()
	defer k.mu.Unlock()

	if k.fetched == nil {
		k.fetched = make(chan struct{})
	}

	select {
	case <-k.wake:
	default:
	}
}

func (k *keySource) finish() {
	k.mu.Lock()
	defer k.mu.Unlock()

	close(k.fetched)
	k.fetched = nil
}
