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
