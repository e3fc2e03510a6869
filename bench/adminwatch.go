package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"
)

// watchEvery is how often the admin listener is asked.
const watchEvery = 100 * time.Millisecond

// watcher asks the admin listener of a gateway, as a load balancer and an operator do.
type watcher struct {
	process *process
	cancel  context.CancelFunc
	running sync.WaitGroup
	seen    seen
}

// seen is what the admin listener has said.
type seen struct {
	took []time.Duration
	// limit is the largest of an upstream.
	limit  int
	failed error
}

func watchAdmin(ctx context.Context, p *process) *watcher {
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{process: p, cancel: cancel}

	w.running.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()

		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.ask(ctx)
			}
		}
	})

	return w
}

// ask makes a connection of its own, as a kubelet does.
func (w *watcher) ask(ctx context.Context) {
	start := time.Now()
	transport := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{}).DialContext}

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.process.admin+"/upstreams", nil)
	if err != nil {
		w.seen.failed = err
		return
	}

	resp, err := transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() == nil {
			w.seen.failed = err
		}

		return
	}
	defer resp.Body.Close() //nolint:errcheck // It has been read.

	var upstreams []struct {
		Limit int `json:"limit"`
	}

	if err := json.NewDecoder(resp.Body).Decode(&upstreams); err != nil {
		w.seen.failed = err
		return
	}

	w.seen.took = append(w.seen.took, time.Since(start))

	for _, u := range upstreams {
		w.seen.limit = max(w.seen.limit, u.Limit)
	}
}

// stop returns what has been seen.
func (w *watcher) stop() (seen, error) {
	w.cancel()
	w.running.Wait()

	return w.seen, w.seen.failed
}

// longest is how long the slowest response took.
func (s seen) longest() time.Duration { return slices.Max(append(s.took, 0)) }

// breakerOpened counts how often a breaker of a gateway has opened, by its log.
func breakerOpened(p *process) (int, error) {
	log, err := os.ReadFile(p.log.Name())
	if err != nil {
		return 0, fmt.Errorf("log of %s: %w", p.name, err)
	}

	count := 0

	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(`"circuit breaker changed"`)) && bytes.Contains(line, []byte(`"to":"open"`)) {
			count++
		}
	}

	return count, nil
}
