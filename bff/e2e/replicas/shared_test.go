package replicas_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// bio is the number in a profile.
func bio(t *testing.T, body string) int64 {
	t.Helper()

	var profile struct{ Bio string }
	if err := json.Unmarshal([]byte(body), &profile); err != nil {
		t.Errorf("%v in %s", err, body)
	}

	n, _ := strconv.ParseInt(profile.Bio, 10, 64) // Nothing was written yet.

	return n
}

// What is written through one gateway is seen at all of them from the response on.
func (f *fleet) writesAreSeen(t *testing.T) {
	t.Helper()

	const writes = 60

	var (
		written atomic.Int64
		hits    [replicas]atomic.Int64
		over    atomic.Bool
		wait    sync.WaitGroup
	)

	header, targets := f.as(t, "reader"), f.direct(t)
	read := gatewaytest.Request{Target: "/v1/users/reader/profile", Header: header}

	for i, gateway := range targets {
		wait.Go(func() {
			for !over.Load() {
				before := written.Load()

				res, err := gateway.send(t, read)
				if err != nil || res.Status != http.StatusOK {
					t.Errorf("%d %v", res.Status, err)
					return
				}

				if got := bio(t, res.Body); got < before {
					t.Errorf("gateway %d: %d after %d was written: %s", i, got, before, res.Header.Get("Cache-Status"))
				}

				if strings.HasPrefix(res.Header.Get("Cache-Status"), "portico; hit") {
					hits[i].Add(1)
				}
			}
		})
	}

	for n := range int64(writes) {
		seen := hits[(n+1)%replicas].Load()

		res := targets[n%replicas].must(t, gatewaytest.Request{
			Method: http.MethodPatch, Target: read.Target, Header: header, Body: fmt.Sprintf(`{"bio":"%d"}`, n+1),
		})
		if res.Status != http.StatusOK {
			t.Errorf("%d %s", res.Status, res.Body)
			break
		}

		written.Store(n + 1)
		// Otherwise nothing might be cached between two writes.
		gatewaytest.Eventually(t, "a hit at another gateway", func() bool { return hits[(n+1)%replicas].Load() > seen || t.Failed() })
	}

	over.Store(true)
	wait.Wait()
}

// A write with a key happens once, whichever gateways its repetitions reach.
func (f *fleet) keysAreShared(t *testing.T) {
	t.Helper()

	const key = "a-key-of-all"

	held := f.backend.hold(key)
	request := gatewaytest.Request{
		Method: http.MethodPost, Target: "/v1/orders", Body: gatewaytest.AnOrder, Header: with(f.as(t, "buyer"), "Idempotency-Key", key),
	}
	targets := f.direct(t)
	results := make(chan gatewaytest.Response, clients)

	var wait sync.WaitGroup

	for i := range clients {
		wait.Go(func() {
			res, err := targets[i%replicas].send(t, request)
			if err != nil {
				t.Error(err)
			}

			results <- res
		})
	}

	// All but the one that waits.
	for range clients - 1 {
		if res := <-results; res.Status != http.StatusConflict || res.Header.Get("Retry-After") == "" {
			t.Errorf("beside the first request: %d %s", res.Status, res.Body)
		}
	}

	close(held)
	wait.Wait()

	first := <-results
	if first.Status != http.StatusCreated || first.Header.Get("Idempotency-Replayed") != "" {
		t.Errorf("the first request: %d %v %s", first.Status, first.Header, first.Body)
	}

	for i, gateway := range targets {
		again := gateway.must(t, request)
		if again.Status != http.StatusCreated || again.Body != first.Body || again.Header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("gateway %d: %d %v %s, want %s", i, again.Status, again.Header, again.Body, first.Body)
		}
	}

	if made := f.backend.made(key); made != 1 {
		t.Errorf("%d orders were made", made)
	}
}
