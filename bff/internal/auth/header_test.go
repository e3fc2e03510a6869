package auth_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// Once, a logout token or a DPoP proof of the issuer was as good as an access token.
func TestTokenTypes(t *testing.T) {
	t.Parallel()

	signer := authtest.NewSigner(t, "EdDSA", authtest.KeyID)

	for name, row := range map[string]struct {
		types    []string // That are configured; none: the default.
		accepted []any    // Nil: a token without a type.
		refused  []any
	}{
		"default": {
			nil,
			[]any{nil, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", "Application/At+JWT", "application/jwt"},
			[]any{"logout+jwt", "JWE", "", 7, json.RawMessage("null"), "text/jwt", "application/application/jwt"},
		},
		"access_tokens_alone": {[]string{"application/at+jwt"}, []any{"at+jwt", "application/AT+jwt"}, []any{nil, "JWT", ""}},
		"of_the_issuer":       {[]string{"X/Token", ""}, []any{nil, "x/token"}, []any{"token", "at+jwt", "", "application/x/token"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			cfg := trusting(t, signer)
			cfg.TokenTypes = row.types
			url := start(t, mustNew(t, cfg))

			for _, typ := range row.accepted {
				call(t, url, "Bearer "+signer.Token(t, authtest.Object{"typ": typ}, nil)).principal(t)
			}

			for _, typ := range row.refused {
				if got := call(t, url, "Bearer "+signer.Token(t, authtest.Object{"typ": typ}, nil)); got.status != http.StatusUnauthorized {
					t.Errorf("%v: %+v", typ, got)
				}
			}
		})
	}
}

// What a header may say besides.
func TestHeadersOfGoodTokens(t *testing.T) {
	t.Parallel()

	signer := authtest.NewSigner(t, "EdDSA", authtest.KeyID)
	url := start(t, mustNew(t, trusting(t, signer)))

	for name, token := range map[string]string{
		"cty_json":         signer.Token(t, authtest.Object{"cty": "json"}, nil),
		"unknown_member":   signer.Token(t, authtest.Object{"x": authtest.Object{"y": 1}}, nil),
		"utf_8_in_a_claim": signer.Token(t, nil, authtest.Object{"name": "Zoë 😀"}),
		"pair_in_a_claim":  signer.SignRaw(t, `{"alg":"EdDSA","kid":"key-1"}`, string(authtest.JSON(t, authtest.Changed(authtest.GoodClaims(), authtest.Object{"name": json.RawMessage(`"\ud83d\ude00"`)})))),
		"list_of_events":   signer.Token(t, nil, authtest.Object{"events": []string{"a"}}),
		"fraction":         signer.Token(t, nil, authtest.Object{"exp": 4102444800.5}),
	} {
		if got := call(t, url, "Bearer "+token); got.status != http.StatusOK {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
