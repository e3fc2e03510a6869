package session

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// slowProvider replaces refresh tokens, which takes until release is closed.
type slowProvider struct {
	Provider

	calls   int
	release chan struct{}
	err     error
}

func (p *slowProvider) Refresh(ctx context.Context, _ string) (provider.Tokens, error) {
	p.calls++
	<-p.release
	p.err = ctx.Err()

	return provider.Tokens{Access: "new", AccessUntil: time.Now().Add(time.Minute), Refresh: "new"}, p.err
}

type noObserver struct{}

func (noObserver) ObserveSession(string, string) {}

// openWith returns sessions, and the key of one whose access token lives for a minute.
func openWith(t *testing.T, p Provider, ahead time.Duration) (*Sessions, string) {
	t.Helper()

	store, err := NewMemory(10)
	if err != nil {
		t.Fatal(err)
	}

	keys, err := vault.Random()
	if err != nil {
		t.Fatal(err)
	}

	s, err := New(config.Sessions{RefreshAhead: ahead, IdleTimeout: time.Hour, MaxLifetime: time.Hour}, Deps{
		Store: store, Provider: p, Vault: func() *vault.Vault { return keys },
		Identify: func(context.Context, provider.Tokens) (reqinfo.Principal, time.Time, error) {
			return reqinfo.Principal{Subject: "alice"}, time.Time{}, nil
		},
		Logger: slog.New(slog.DiscardHandler), Observer: noObserver{},
	})
	if err != nil {
		t.Fatal(err)
	}

	id, err := s.start(t.Context(), provider.Tokens{Claims: map[string]any{"sub": "alice"}, Access: "old", AccessUntil: time.Now().Add(time.Minute), Refresh: "old"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	return s, keyOf(id)
}

// use does what a request does, and returns its access token.
func use(t *testing.T, s *Sessions, key string) string {
	t.Helper()

	a, err := s.load(t.Context(), key, time.Hour)
	if err == nil {
		a, err = s.fresh(t.Context(), a)
	}

	if err != nil {
		t.Fatal(err)
	}

	return a.Access
}

// Once, a reload during a refresh ended the session: the provider had replaced the refresh token, and nobody had the new one.
func TestCloseDoesNotCancelARefresh(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		p := &slowProvider{release: make(chan struct{})}
		s, key := openWith(t, p, time.Hour)

		time.Sleep(30 * time.Second)

		if got := use(t, s, key); got != "old" {
			t.Errorf("while it is refreshed, the token is %q", got)
		}

		synctest.Wait()

		closed := make(chan error, 1)

		go func() { closed <- s.Close() }()

		synctest.Wait()

		if len(closed) > 0 {
			t.Error("it does not wait for the refresh")
		}

		close(p.release)

		if err := <-closed; err != nil || p.err != nil {
			t.Errorf("closed with %v, the refresh with %v", err, p.err)
		}

		if got := use(t, s, key); got != "new" {
			t.Errorf("after the refresh, the token is %q", got)
		}
	})
}

// Once, a session was refreshed at every request if its access tokens lived shorter than refresh_ahead.
func TestShortLivedTokensAreRefreshedAtHalfTheirLives(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		p := &slowProvider{release: make(chan struct{})}
		close(p.release)

		s, key := openWith(t, p, time.Hour)
		defer s.Close()

		// Requests in the middle of each second of five minutes.
		for time.Sleep(500 * time.Millisecond); p.calls < 10; time.Sleep(time.Second) {
			use(t, s, key)
			synctest.Wait()
		}

		// The tokens live for a minute.
		if got := time.Since(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)); got.Round(time.Minute) != 5*time.Minute {
			t.Errorf("10 refreshes take %v", got)
		}
	})
}
