package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds on talking to an issuer.
const (
	fetchTimeout = 5 * time.Second
	// maxKeySet is the largest key set in bytes. A key takes less than 2 KB.
	maxKeySet = 1 << 20
	// maxRedirects on the way to a key set, all on the same host.
	maxRedirects = 3
	// retryInterval is how long to wait after a failed fetch, if the refresh interval is not shorter.
	retryInterval = 10 * time.Second
	// maxWait is how long a request may wait for keys.
	maxWait = 2 * time.Second
)

var errFetch = errors.New("key set refused")

// remoteKeys are the keys at a URL. One goroutine, run, fetches them; requests only wait for it.
type remoteKeys struct {
	url      string
	interval time.Duration
	client   *http.Client
	logger   *slog.Logger
	keys     atomic.Pointer[keySet]
	ended    chan struct{} // Closed when run returns.
	demand   chan struct{} // Wakes run.

	mu sync.Mutex
	// fetched is closed at the end of the fetch that is under way or asked for. Nil: there is none.
	fetched chan struct{}
	// nextDemand is when requests may ask for a fetch again.
	nextDemand time.Time
}

func newRemoteKeys(rawURL string, interval time.Duration, logger *slog.Logger) (*remoteKeys, error) {
	location, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("parse key URL: %w", err)
	}

	if location.Host == "" || !secure(location) {
		return nil, fmt.Errorf("%w: %s", errInsecure, location.Redacted())
	}

	if interval <= 0 {
		interval = DefaultRefreshInterval
	}

	return &remoteKeys{
		url: rawURL, interval: interval, client: newClient(), logger: logger.With("jwks_url", location.Redacted()),
		ended: make(chan struct{}), demand: make(chan struct{}, 1),
		// The first fetch counts as asked for, so that requests wait for it.
		fetched: make(chan struct{}),
	}, nil
}

// newClient returns a client that goes to no other host than it was sent to, and keeps no connection open for the next interval.
func newClient() *http.Client {
	return &http.Client{
		Timeout:   fetchTimeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if first := via[0].URL; r.URL.Scheme != first.Scheme || r.URL.Host != first.Host || len(via) > maxRedirects {
				return fmt.Errorf("%w: redirect to %s", errFetch, r.URL.Redacted())
			}

			return nil
		},
	}
}

// secure tells whether nobody on the way can change the answer: it is signed, or does not leave this machine.
func secure(location *url.URL) bool {
	host := location.Hostname()
	addr, err := netip.ParseAddr(host)
	local := host == "localhost" || err == nil && addr.IsLoopback()

	return location.Scheme == "https" || location.Scheme == "http" && local
}

func (k *remoteKeys) current() keySet {
	if set := k.keys.Load(); set != nil {
		return *set
	}

	return nil
}

// renewed waits for the fetch that is under way or, if requests have not asked for one in this interval, asks for one. So, however
// many tokens with invented key ids arrive, they cause one fetch per interval.
func (k *remoteKeys) renewed(ctx context.Context) keySet {
	fetched := k.ask(time.Now())
	if fetched == nil {
		return k.current()
	}

	timeout := time.NewTimer(maxWait)
	defer timeout.Stop()

	select {
	case <-fetched:
	case <-timeout.C:
	case <-ctx.Done():
	case <-k.ended:
	}

	return k.current()
}

// ask returns what is closed at the end of the fetch, or nil if there is none to wait for.
func (k *remoteKeys) ask(now time.Time) <-chan struct{} {
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
func (k *remoteKeys) run(ctx context.Context) {
	defer close(k.ended)

	for {
		pause := k.interval
		if !k.refresh(ctx) {
			pause = min(pause, retryInterval)
		}

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

// refresh fetches the keys once and tells whether that worked. Otherwise the old ones stay.
func (k *remoteKeys) refresh(ctx context.Context) bool {
	k.begin()
	defer k.finish()

	set, err := k.fetch(ctx)
	if err != nil {
		if ctx.Err() == nil {
			k.logger.LogAttrs(ctx, slog.LevelWarn, "fetch issuer keys",
				slog.Any("error", err), slog.Bool("have_keys", k.current() != nil))
		}

		return false
	}

	k.keys.Store(&set)

	return true
}

// begin makes requests join this fetch, those that have asked already among them.
func (k *remoteKeys) begin() {
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

func (k *remoteKeys) finish() {
	k.mu.Lock()
	defer k.mu.Unlock()

	close(k.fetched)
	k.fetched = nil
}

func (k *remoteKeys) fetch(ctx context.Context) (keySet, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}

	r.Header.Set("Accept", "application/jwk-set+json, application/json")

	res, err := k.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("get key set: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // Nothing was written.

	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", errFetch, res.StatusCode)
	}

	data, err := io.ReadAll(io.LimitReader(res.Body, maxKeySet+1))
	if err != nil {
		return nil, fmt.Errorf("read key set: %w", err)
	}

	if len(data) > maxKeySet {
		return nil, fmt.Errorf("%w: larger than %d bytes", errFetch, maxKeySet)
	}

	return parseKeys(data)
}
