package session

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
)

// A token that expires soon is replaced while requests go on with it.
func TestRefreshAhead(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		slow := make(chan struct{})
		s.issuer.refreshed = func(context.Context, *provider.Tokens) { <-slow }

		time.Sleep(tokenLife - time.Minute - time.Second)
		b.shows("staff:alice with Bearer alice 1")
		synctest.Wait()

		if s.issuer.refreshes != 0 {
			t.Error("it is refreshed too early")
		}

		time.Sleep(2 * time.Second)

		for range 10 {
			b.shows("staff:alice with Bearer alice 1")
		}

		close(slow)
		synctest.Wait()
		b.shows("staff:alice with Bearer alice 2")
		s.counted("refresh done")

		if s.issuer.refreshes != 1 {
			t.Errorf("refreshed %d times", s.issuer.refreshes)
		}
	})
}

// However many requests find an expired token, at two gateways with the same store, the provider is asked once.
func TestRefreshOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, err := NewMemory(10)
		if err != nil {
			t.Fatal(err)
		}

		one, two := open(t, store, nil), open(t, store, nil)
		two.keys.Store(one.keys.Load())

		two.Provider = one.issuer
		one.issuer.refreshed = func(context.Context, *provider.Tokens) { time.Sleep(time.Second) }

		b := one.browser().login()
		time.Sleep(tokenLife)

		var running sync.WaitGroup

		for i := range 1000 {
			at := []*site{one, two}[i%2].browser()
			at.cookies = b.cookies

			running.Go(func() {
				r := at.send(http.MethodGet, "/v1/orders")
				if r.Body.String() != "staff:alice with Bearer alice 2" {
					t.Errorf("%d %s", r.Code, r.Body)
				}
			})
		}

		running.Wait()

		if one.issuer.refreshes != 1 {
			t.Errorf("the provider was asked %d times", one.issuer.refreshes)
		}

		if err := errors.Join(one.Close(), two.Close()); err != nil {
			t.Error(err)
		}
	})
}

// What becomes of a session whose access token has expired.
func TestRefreshFails(t *testing.T) {
	t.Parallel()

	down := errors.Join(provider.ErrUnavailable, errors.New("x"))
	other := func(_ context.Context, t *provider.Tokens) { t.Claims["sub"] = "bob" }

	for name, tt := range map[string]struct {
		change  func(s *site)
		status  int
		event   string
		revoked []string
	}{
		"refused":            {func(s *site) { s.issuer.refreshing = provider.ErrRefused }, 200, "end refused", []string{"refresh 2"}},
		"another_subject":    {func(s *site) { s.issuer.refreshed = other }, 200, "end refused", []string{"refresh 2"}},
		"another_principal":  {func(s *site) { s.issuer.subject = "bob"; s.issuer.refreshed = alices }, 200, "end refused", []string{"refresh 2"}},
		"nobody":             {func(s *site) { s.identify = identifies(errors.New("x")) }, 200, "end refused", []string{"refresh 2"}},
		"unavailable":        {func(s *site) { s.issuer.refreshing = down }, 503, "refresh failed", nil},
		"keys_unavailable":   {func(s *site) { s.identify = identifies(down) }, 503, "refresh failed", nil},
		"panic":              {func(s *site) { s.identify = func(provider.Tokens) error { panic("x") } }, 503, "login done", nil},
		"store_fails_twice":  {func(s *site) { s.store.replaces.Store(2) }, 200, "refresh done", nil},
		"store_fails_always": {func(s *site) { s.store.replaces.Store(100) }, 503, "login done", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
				b := s.browser().login()
				tt.change(s)
				time.Sleep(tokenLife)

				res := b.send(http.MethodGet, "/v1/orders")
				if res.Code != tt.status || res.rec.SessionEnded != (tt.event == "end refused") {
					t.Errorf("%d %s, ended: %t", res.Code, res.Body, res.rec.SessionEnded)
				}

				s.counted(tt.event)
				synctest.Wait()

				if !slices.Equal(s.issuer.revoked, tt.revoked) {
					t.Errorf("revoked %v", s.issuer.revoked)
				}
			})
		})
	}
}

func alices(_ context.Context, t *provider.Tokens) { t.Claims["sub"] = "alice" }

// After a failure the provider has a pause, in which nobody waits for it. The session lasts, with the latest refresh token.
func TestRefreshAfterAFailure(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		time.Sleep(tokenLife)
		s.issuer.refreshing = provider.ErrUnavailable

		for range 10 {
			if res := b.send(http.MethodGet, "/v1/orders"); res.Code != http.StatusServiceUnavailable {
				t.Fatalf("%d %s", res.Code, res.Body)
			}
		}

		if s.issuer.refreshes != 1 {
			t.Errorf("asked %d times", s.issuer.refreshes)
		}

		s.issuer.refreshing = nil
		time.Sleep(refreshPause)
		b.shows("staff:alice with Bearer alice 3")

		// Only one session is concerned if the provider does not accept a request.
		another := s.browser().login()
		time.Sleep(tokenLife)

		s.issuer.refreshing = errors.Join(provider.ErrUnavailable, provider.ErrClient)
		if res := b.send(http.MethodGet, "/v1/orders"); res.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", res.Code, res.Body)
		}

		s.issuer.refreshing = nil
		another.shows("staff:alice with Bearer alice 6")
	})
}

// Once, a refresh token that was replaced was lost if the new access token could not be verified at that time.
func TestNewRefreshTokenIsKept(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		key := keyOf(b.cookies[s.cfg.Cookie])
		s.identify = identifies(provider.ErrUnavailable)
		time.Sleep(tokenLife)

		if res := b.send(http.MethodGet, "/v1/orders"); res.Code != http.StatusServiceUnavailable {
			t.Fatalf("%d %s", res.Code, res.Body)
		}

		a, err := s.load(t.Context(), key, 0)
		if err != nil || a.Refresh != "refresh 2" || a.Access != "alice 1" {
			t.Errorf("%+v, %v", a, err)
		}
	})
}

// A session that ended during its refresh stays so, and nobody has its tokens.
func TestSessionEndsDuringARefresh(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		key := keyOf(b.cookies[s.cfg.Cookie])
		s.issuer.refreshed = func(ctx context.Context, _ *provider.Tokens) { _ = s.store.Delete(ctx, key) }
		time.Sleep(tokenLife)

		if res := b.send(http.MethodGet, "/v1/orders"); res.Body.String() != "anonymous" || !res.rec.SessionEnded {
			t.Errorf("%d %s", res.Code, res.Body)
		}

		synctest.Wait()

		if !slices.Equal(s.issuer.revoked, []string{"refresh 2"}) {
			t.Errorf("revoked %v", s.issuer.revoked)
		}
	})
}

// A reply of the store that is lost loses no tokens: what was stored is found.
func TestReplacedAlready(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		a, err := s.load(t.Context(), keyOf(b.cookies[s.cfg.Cookie]), 0)
		if err != nil {
			t.Fatal(err)
		}

		next := a.content
		next.Access, next.Refresh = "alice new", "refresh new"

		for range 2 { // The second time it has another version.
			got, err := s.replace(t.Context(), a, next)
			if err != nil || got.Access != "alice new" {
				t.Errorf("%+v, %v", got, err)
			}
		}

		synctest.Wait()

		if len(s.issuer.revoked) > 0 {
			t.Errorf("revoked %v", s.issuer.revoked)
		}
	})
}

// Without a refresh token a session ends with its access token, unless that says nothing about who calls.
func TestNoRefreshToken(t *testing.T) {
	t.Parallel()

	for identity, want := range map[string]string{config.IdentityAccessToken: "anonymous", config.IdentityIDToken: "staff:alice with "} {
		t.Run(identity, func(t *testing.T) {
			t.Parallel()
			with(t, func(c *config.Sessions) { c.Identity = identity }, func(_ *testing.T, s *site) {
				s.issuer.noRefresh = true
				b := s.browser().login()
				time.Sleep(tokenLife - time.Second)
				b.shows("staff:alice with Bearer alice 1")
				time.Sleep(time.Second)
				b.shows(want)
			})
		})
	}
}

// A request does not wait longer than its client.
func TestClientIsGoneDuringARefresh(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		b := s.browser().login()
		slow := make(chan struct{})
		s.issuer.refreshed = func(context.Context, *provider.Tokens) { <-slow }
		time.Sleep(tokenLife)

		a, err := s.load(t.Context(), keyOf(b.cookies[s.cfg.Cookie]), 0)
		if err != nil {
			t.Fatal(err)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()

		if _, err := s.fresh(ctx, a); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}

		close(slow)
		synctest.Wait()
		b.shows("staff:alice with Bearer alice 2")
	})
}

// A response is sent before the connection may not be written to any more, and the refresh goes on.
func TestRequestWaitsWithPatience(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		s.Patience = 3 * time.Second

		b := s.browser().login()
		s.issuer.refreshed = func(context.Context, *provider.Tokens) { time.Sleep(5 * time.Second) }
		time.Sleep(tokenLife)

		began := time.Now()
		if r := b.send(http.MethodGet, "/v1/orders"); r.Code != http.StatusServiceUnavailable || time.Since(began) != s.Patience {
			t.Errorf("%d after %s", r.Code, time.Since(began))
		}

		b.shows("staff:alice with Bearer alice 2")

		if s.issuer.refreshes != 1 {
			t.Errorf("the provider was asked %d times", s.issuer.refreshes)
		}
	})
}
