package auth_test

import (
	"net/http"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// The ID token of a login is no access token, even if it has the audience of one: pages get it with the URL of a logout. Other
// tokens, and gateways without sessions at the issuer, have nothing to do with it.
func TestIDTokensOfLoginsAsBearer(t *testing.T) {
	t.Parallel()

	s := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	own := []string{authtest.Audience, "web"}

	for name, tt := range map[string]struct {
		claims authtest.Object
		want   int // With sessions.
	}{
		"login":         {authtest.Object{"aud": own, "nonce": "x", "at_hash": "y"}, http.StatusUnauthorized},
		"nonce":         {authtest.Object{"aud": own, "nonce": "x"}, http.StatusUnauthorized},
		"refreshed":     {authtest.Object{"aud": own, "at_hash": "y"}, http.StatusUnauthorized},
		"of_keycloak":   {authtest.Object{"aud": own, "nonce": "x", "typ": "ID"}, http.StatusUnauthorized},
		"access":        {authtest.Object{"aud": own}, http.StatusOK},
		"old_keycloak":  {authtest.Object{"aud": own, "nonce": "x", "typ": "Bearer"}, http.StatusOK},
		"other_clients": {authtest.Object{"nonce": "x", "at_hash": "y"}, http.StatusOK},
	} {
		for _, sessions := range []config.Sessions{{Issuer: authtest.Issuer, ClientID: "web"}, {Issuer: "https://other.example", ClientID: "web"}, {}} {
			a, err := open(t.Context(), config.Auth{Issuers: []config.Issuer{trusting(t, s)}, Sessions: sessions})
			if err != nil {
				t.Fatal(err)
			}

			want := tt.want
			if sessions.Issuer != authtest.Issuer {
				want = http.StatusOK
			}

			if got := call(t, start(t, a), "Bearer "+s.Token(t, nil, tt.claims)); got.status != want {
				t.Errorf("%s, with sessions of %q: %d %s", name, sessions.Issuer, got.status, got.body)
			}
		}
	}
}
