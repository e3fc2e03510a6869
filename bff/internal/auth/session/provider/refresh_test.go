package provider

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What a provider refuses ends a session; what it cannot do now does not.
func TestRefusals(t *testing.T) {
	t.Parallel()

	oauth := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			reply(w, status, map[string]any{"error": code, "error_description": "why " + strings.Repeat("x", 2000)})
		}
	}

	for name, tt := range map[string]struct {
		handler http.HandlerFunc
		want    error
		client  bool
	}{
		"invalid_grant":       {oauth(http.StatusBadRequest, "invalid_grant"), ErrRefused, false},
		"invalid_grant_401":   {oauth(http.StatusUnauthorized, "invalid_grant"), ErrRefused, false},
		"invalid_grant_200":   {oauth(http.StatusOK, "invalid_grant"), ErrRefused, false},
		"invalid_grant_500":   {oauth(http.StatusInternalServerError, "invalid_grant"), ErrUnavailable, false},
		"interaction":         {oauth(http.StatusBadRequest, "interaction_required"), ErrRefused, false},
		"login":               {oauth(http.StatusBadRequest, "login_required"), ErrRefused, false},
		"consent":             {oauth(http.StatusBadRequest, "consent_required"), ErrRefused, false},
		"account":             {oauth(http.StatusUnauthorized, "account_selection_required"), ErrRefused, false},
		"invalid_client":      {oauth(http.StatusUnauthorized, "invalid_client"), ErrUnavailable, true},
		"unauthorized_client": {oauth(http.StatusBadRequest, "unauthorized_client"), ErrUnavailable, true},
		"server_error":        {oauth(http.StatusServiceUnavailable, "server_error"), ErrUnavailable, false},
		"too_many":            {oauth(http.StatusTooManyRequests, "slow_down"), ErrUnavailable, false},
		"page":                {http.NotFound, ErrUnavailable, true},
		"redirect":            {http.RedirectHandler("/elsewhere", http.StatusTemporaryRedirect).ServeHTTP, ErrUnavailable, true},
		"no_json":             {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("secret text")) }, ErrUnavailable, false},
		"no_token":            {func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, map[string]any{}) }, ErrUnavailable, false},
		"large": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"access_token":"` + strings.Repeat("x", 2*maxResponse)))
		}, ErrUnavailable, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			i := start(t)
			i.endpoints["/token"] = tt.handler

			_, err := i.client(nil).Refresh(t.Context(), "the refresh token")
			if !errors.Is(err, tt.want) || errors.Is(err, ErrRefused) && errors.Is(err, ErrUnavailable) || errors.Is(err, ErrClient) != tt.client {
				t.Errorf("got %v", err)
			}

			if text := err.Error(); len(text) > 1000 || strings.Contains(text, "the refresh token") || strings.Contains(text, "secret text") {
				t.Errorf("the error has too much: %s", text)
			}

			if i.count("/elsewhere") > 0 {
				t.Error("the redirect was followed, with the secret and the token")
			}
		})
	}

	i := start(t)
	p := i.client(nil)

	if _, err := p.Check(t.Context()); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if _, err := p.Refresh(ctx, "x"); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// The new refresh token comes also with an error: the one before is used up.
func TestRefreshedTokens(t *testing.T) {
	t.Parallel()

	i := start(t)
	p := i.client(nil)

	i.issues(map[string]any{"refresh_token": nil, "id_token": nil})

	// The library returns the one that was sent.
	if got, err := p.Refresh(t.Context(), "before"); err != nil || got.Refresh != "before" || got.ID != "" || got.Access != "access" {
		t.Errorf("without others: %+v, %v", got, err)
	}

	i.issues(map[string]any{"refresh_token": "next", "id_token": i.sign(i.claims(map[string]any{"nonce": nil}))})

	if got, err := p.Refresh(t.Context(), "before"); err != nil || got.Refresh != "next" || got.Subject() != "alice" {
		t.Errorf("with others: %+v, %v", got, err)
	}

	i.issues(map[string]any{"refresh_token": "next", "id_token": i.sign(i.claims(map[string]any{"aud": "other"}))})

	if got, err := p.Refresh(t.Context(), "before"); !errors.Is(err, ErrRefused) || got.Refresh != "next" || got.Access != "" {
		t.Errorf("with an ID token of another client: %+v, %v", got, err)
	}
}

// A token that cannot be verified because there are no keys is not refused. Keys are fetched again for one that is not known, at
// most once in an interval, however many come.
func TestKeys(t *testing.T) {
	t.Parallel()
	virtual(t, func(t *testing.T, i *issuer, p *Provider) { //nolint:thelper // It is the test.
		exchange := func(kid string) error {
			i.kid = kid
			i.issues(nil)

			_, err := p.Exchange(t.Context(), "code", login())

			return err
		}

		i.endpoints["/keys"] = func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, strings.Repeat("secret", 1000), http.StatusInternalServerError)
		}

		if err := exchange("first"); !errors.Is(err, ErrUnavailable) || strings.Contains(err.Error(), "secret") {
			t.Errorf("while keys cannot be fetched: %.2000v", err)
		}

		delete(i.endpoints, "/keys")
		time.Sleep(keysInterval)

		if err := exchange("first"); err != nil {
			t.Error(err)
		}

		time.Sleep(keysInterval)

		before, want := i.count("/keys"), ErrRefused
		for range 100 {
			if _, err := p.VerifyLogout(t.Context(), newIssuer(t, i.url).signAs("unknown")); !errors.Is(err, want) {
				t.Fatalf("got %v, want %v", err, want)
			}

			want = ErrUnavailable // Its key may have been published since.
		}

		synctest.Wait()

		if got := i.count("/keys") - before; got != 1 {
			t.Errorf("keys were fetched %d times", got)
		}

		time.Sleep(keysInterval)

		if err := exchange("second"); err != nil {
			t.Errorf("after a rotation: %v", err)
		}

		// Another document keeps them.
		time.Sleep(discoveryLife)

		before = i.count("/keys")
		if err := exchange("second"); err != nil {
			t.Error(err)
		}

		synctest.Wait()

		if err := exchange("second"); err != nil || i.count("/keys") != before {
			t.Errorf("%v; keys were fetched %d times", err, i.count("/keys")-before)
		}
	})
}
