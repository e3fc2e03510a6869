package idempotency_test

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
)

// outage is a store that does nothing while it is down.
type outage struct {
	idempotency.Store

	down atomic.Bool
}

func (s *outage) Claim(ctx context.Context, claim idempotency.Claim) (idempotency.State, idempotency.Response, error) {
	if s.down.Load() {
		return 0, idempotency.Response{}, errStore
	}

	return s.Store.Claim(ctx, claim)
}

func (s *outage) Finish(ctx context.Context, claim idempotency.Claim, res idempotency.Response, ttl time.Duration) error {
	if s.down.Load() {
		return errStore
	}

	return s.Store.Finish(ctx, claim, res, ttl)
}

func (s *outage) Release(ctx context.Context, claim idempotency.Claim) error {
	if s.down.Load() {
		return errStore
	}

	return s.Store.Release(ctx, claim)
}

// Once, the write was executed again when the lease was over.
func TestResponseIsStoredWhenTheStoreIsBack(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		size, status int
		replayed     bool
	}{
		"small": {10, http.StatusCreated, true},
		// Too large to be kept: it is known that there was a response.
		"large": {100 << 10, http.StatusConflict, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &outage{Store: idempotency.NewMemory(64 << 20)}
				keeper := idempotency.New(store)
				defer keeper.Close()

				next := &counter{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					store.down.Store(true)
					w.WriteHeader(http.StatusCreated)
					_, _ = w.Write(make([]byte, row.size))
				})}
				h := keeper.Route(idempotency.Rule{RPC: rpc, Required: true, TTL: time.Hour})(next)

				wantStatus(t, call{}.to(t, h), http.StatusCreated, false)
				// The lease is over by then.
				time.Sleep(5 * time.Minute)
				store.down.Store(false)
				time.Sleep(time.Second)
				wantStatus(t, call{}.to(t, h), row.status, row.replayed)
				next.want(t, 1)
			})
		})
	}
}

// Once, what was to be stored within half a second was lost with the gateway.
func TestResponseIsStoredAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &outage{Store: idempotency.NewMemory(64 << 20)}
		next := &counter{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			store.down.Store(true)
			create(w, r)
		})}
		rule := idempotency.Rule{RPC: rpc, Required: true, TTL: time.Hour}

		first := idempotency.New(store)
		wantStatus(t, call{}.to(t, first.Route(rule)(next)), http.StatusCreated, false)
		store.down.Store(false)
		first.Close()

		second := idempotency.New(store)
		defer second.Close()

		wantStatus(t, call{}.to(t, second.Route(rule)(next)), http.StatusCreated, true)
		next.want(t, 1)
	})
}

// Once, a response was lost if a thousand requests had been refused before, and the write was executed again.
func TestResponseIsStoredAfterManyRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, next, h := overAnOutage(t)
		next.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			store.down.Store(true)

			for i := range 1000 {
				wantStatus(t, call{keys: []string{fmt.Sprintf(`"refused-%d"`, i)}}.to(t, h), http.StatusServiceUnavailable, false)
			}

			create(w, r)
		})

		wantStatus(t, call{}.to(t, h), http.StatusCreated, false)
		store.down.Store(false)
		// The lease is over by then.
		time.Sleep(5 * time.Minute)
		wantStatus(t, call{}.to(t, h), http.StatusCreated, true)
		next.want(t, 1)
	})
}

// Once, a request that had failed could not be repeated until the end of the lease if the store did not take that it had ended.
func TestKeyIsFreedWhenTheStoreIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, next, h := overAnOutage(t)
		next.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			store.down.Store(true)
			w.WriteHeader(http.StatusServiceUnavailable)
		})

		wantStatus(t, call{}.to(t, h), http.StatusServiceUnavailable, false)
		store.down.Store(false)
		wantStatus(t, call{}.to(t, h), http.StatusConflict, false)
		time.Sleep(time.Second)

		next.Handler = http.HandlerFunc(create)

		wantStatus(t, call{}.to(t, h), http.StatusCreated, false)
		next.want(t, 2)
	})
}

// overAnOutage returns a route over a store that a test can take away.
func overAnOutage(t *testing.T) (store *outage, next *counter, h http.Handler) {
	t.Helper()

	store, next = &outage{Store: idempotency.NewMemory(64 << 20)}, &counter{}
	keeper := idempotency.New(store)
	t.Cleanup(keeper.Close)

	return store, next, keeper.Route(idempotency.Rule{RPC: rpc, Required: true, TTL: time.Hour})(next)
}
