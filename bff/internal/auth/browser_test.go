package auth_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	oidc "github.com/portico-gateway/portico/bff/internal/auth/session/provider"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// Anyone can use up the fetch of an interval by a bearer token with an invented key. The tokens of a session that its issuer has
// signed with a new key are then not refused, which would end the session.
func TestRotationAfterAnInventedKey(t *testing.T) {
	t.Parallel()

	one, two, evil := authtest.NewSigner(t, "RS256", "one"), authtest.NewSigner(t, "RS256", "two"), authtest.NewSigner(t, "RS256", "evil")
	keys := newKeyServer(t, serving(authtest.KeySet(t, one)))
	a := mustNew(t, fetching(keys.url, 5*time.Minute))
	who := a.BrowserIdentity(config.Sessions{Issuer: authtest.Issuer, Identity: config.IdentityAccessToken})

	if _, _, err := who(t.Context(), oidc.Tokens{Access: one.Token(t, nil, nil)}); err != nil {
		t.Fatal(err)
	}

	if got := call(t, start(t, a), "Bearer "+evil.Token(t, nil, nil)); got.status != http.StatusUnauthorized {
		t.Errorf("an invented key: %d", got.status)
	}

	keys.serve(serving(authtest.KeySet(t, two, one)))

	if _, _, err := who(t.Context(), oidc.Tokens{Access: two.Token(t, nil, nil)}); !errors.Is(err, oidc.ErrUnavailable) {
		t.Errorf("after a rotation: %v, want that it is not known yet", err)
	}
}

// Tokens of an unknown life are replaced when the ID token expires: claims would never change otherwise.
func TestTokensOfUnknownLife(t *testing.T) {
	t.Parallel()

	who := mustNew(t).BrowserIdentity(config.Auth{Sessions: config.Sessions{
		Issuer: authtest.Issuer, Identity: config.IdentityIDToken,
	}}.WithDefaults().Sessions)
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	claims := map[string]any{"sub": "ada", "exp": float64(expires.Unix())}

	for name, tt := range map[string]struct{ access, want time.Time }{
		"unknown": {want: expires}, "known": {access: time.Now().Add(time.Minute)},
	} {
		_, until, err := who(t.Context(), oidc.Tokens{AccessUntil: tt.access, Claims: claims})
		if err != nil || !until.Equal(tt.want) {
			t.Errorf("%s: until %s, %v", name, until, err)
		}
	}
}
