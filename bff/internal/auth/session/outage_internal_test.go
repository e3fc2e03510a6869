package session

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// New tokens are stored when the store is back after ten seconds, and when the provider has taken all of the time for a refresh.
func TestNewTokensAreNotLost(t *testing.T) {
	t.Parallel()

	for name, change := range map[string]func(s *site){
		"store_is_away": func(s *site) { s.store.replaces.Store(20) },
		"slow_keys": func(s *site) {
			s.issuer.refreshed = func(ctx context.Context, _ *provider.Tokens) { <-ctx.Done() }
			s.issuer.refreshing = provider.ErrUnavailable
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				b := s.browser().login()
				change(s)
				time.Sleep(tokenLife)
				b.send(http.MethodGet, "/v1/orders")

				a, err := s.load(t.Context(), keyOf(b.cookies[s.cfg.Cookie]), 0)
				if err != nil || a.Refresh != "refresh 2" {
					t.Errorf("%+v, %v", a, err)
				}
			})
		})
	}
}

// A gateway does not give up new tokens at its end as long as the store takes them.
func TestNewTokensAreStoredAtTheEnd(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		s.issuer.refreshed = func(ctx context.Context, _ *provider.Tokens) { <-ctx.Done() }
		s.issuer.refreshing = provider.ErrUnavailable

		time.Sleep(tokenLife - time.Second)
		b.shows("staff:alice with Bearer alice 1")

		if err := s.Close(); err != nil {
			t.Error(err)
		}

		a, err := s.load(t.Context(), keyOf(b.cookies[s.cfg.Cookie]), 0)
		if err != nil || a.Refresh != "refresh 2" {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// A gateway whose lease is over is refused, because another one has used the refresh token. The session has the tokens of that one.
func TestRefusedBecauseAnotherHasRefreshed(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		key := keyOf(b.cookies[s.cfg.Cookie])
		s.issuer.refreshing = provider.ErrRefused
		s.issuer.refreshed = func(ctx context.Context, _ *provider.Tokens) {
			a, err := s.load(ctx, key, 0)
			if err != nil {
				t.Fatal(err)
			}

			next := a.content
			next.Access, next.AccessUntil = "alice of another", time.Now().Add(time.Hour)

			if _, err := s.replace(ctx, a, next); err != nil {
				t.Fatal(err)
			}
		}

		time.Sleep(tokenLife)
		b.shows("staff:alice with Bearer alice of another")
	})
}

// One account whose refreshes fail does not keep others from theirs; three in a row do, for a second.
func TestPauses(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		users := map[string]*browser{}

		for _, name := range []string{"alice", "bob", "carol", "dave"} {
			s.issuer.subject = name
			users[name] = s.browser().login()
		}

		down := func(name string) {
			s.issuer.subject, s.issuer.refreshing = name, provider.ErrUnavailable
			users[name].send(http.MethodGet, "/v1/orders")
			s.issuer.refreshing = nil
		}
		asked := func(name string) bool {
			before := s.issuer.refreshes
			s.issuer.subject = name
			users[name].send(http.MethodGet, "/v1/orders")

			return s.issuer.refreshes > before
		}

		time.Sleep(tokenLife)
		down("alice")

		if asked("alice") || !asked("bob") {
			t.Error("after one failure, the provider is to be asked for all others")
		}

		time.Sleep(tokenLife)
		down("alice")
		down("bob")
		down("carol")

		if asked("dave") {
			t.Error("after three failures, the provider is not to be asked")
		}

		time.Sleep(refreshPause)

		if !asked("dave") || !asked("alice") {
			t.Error("after a pause, the provider is to be asked")
		}
	})
}

// While a gateway waits for the refresh of another one, it does not flood the store. Nobody waits before the token has expired.
func TestWaitingForAnotherGateway(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		key := keyOf(b.cookies[s.cfg.Cookie])

		if ok, err := s.Store.Claim(t.Context(), "refresh:"+key, "another", time.Hour); !ok || err != nil {
			t.Fatalf("%t, %v", ok, err)
		}

		time.Sleep(tokenLife - 30*time.Second)

		before := s.store.claims.Load()
		for range 10 {
			b.shows("staff:alice with Bearer alice 1")
			synctest.Wait()
		}

		if got := s.store.claims.Load() - before; got != 10 {
			t.Errorf("%d claims although nobody waits", got)
		}

		time.Sleep(30 * time.Second)

		before = s.store.claims.Load()
		if res := b.send(http.MethodGet, "/v1/orders"); res.Code != http.StatusServiceUnavailable {
			t.Errorf("%d %s", res.Code, res.Body)
		}

		if got := s.store.claims.Load() - before; got > 50 {
			t.Errorf("%d claims in 20 seconds", got)
		}
	})
}

// However many requests come while a session is refreshed in the background, one goroutine does it.
func TestOneRefreshAhead(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		slow := make(chan struct{})
		s.issuer.refreshed = func(context.Context, *provider.Tokens) { <-slow }

		time.Sleep(tokenLife - 30*time.Second)

		before := s.store.claims.Load()
		for range 100 {
			b.shows("staff:alice with Bearer alice 1")
		}

		synctest.Wait()

		if got := s.store.claims.Load() - before; got != 1 || s.issuer.refreshes != 1 {
			t.Errorf("%d claims, %d refreshes", got, s.issuer.refreshes)
		}

		// A request that has to wait gets the result of the background.
		time.Sleep(15 * time.Second)
		close(slow)
		synctest.Wait()
		b.shows("staff:alice with Bearer alice 2")
	})
}
