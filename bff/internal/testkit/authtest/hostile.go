package authtest

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Hostile has the tokens of attackers on an issuer.
type Hostile struct {
	// Good and RSA are keys of the issuer, called KeyID and "key-rsa". Good signs some strange claims.
	Good, RSA Signer
	// URL is that of a key in tokens, and Visits counts the requests to it.
	URL    string
	Visits *atomic.Int32

	evil Signer // With the id of the good one.
}

// NewHostile makes the keys, and serves the attacker's.
func NewHostile(tb testing.TB) *Hostile {
	tb.Helper()

	h := &Hostile{
		Good: NewSigner(tb, "EdDSA", KeyID), RSA: NewSigner(tb, "RS256", "key-rsa"), Visits: &atomic.Int32{},
		evil: NewSigner(tb, "EdDSA", KeyID),
	}
	set := KeySet(tb, h.evil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		h.Visits.Add(1)

		_, _ = w.Write(set)
	}))
	tb.Cleanup(server.Close)

	h.URL = server.URL

	return h
}

// Fields returns Authorization fields by what is wrong with them. None of them identifies a caller.
func (h *Hostile) Fields(tb testing.TB) map[string][]string {
	tb.Helper()

	good := h.Good.Token(tb, nil, nil)
	out := map[string][]string{
		"two_fields":               {"Bearer " + good, "Bearer " + good},
		"good_and_anonymous_field": {"Bearer " + good, ""},
		"basic":                    {"Basic YWRhOnNlY3JldA=="},
		"other_scheme":             {"DPoP " + good},
		"no_scheme":                {good},
		"no_token":                 {"Bearer"},
		"empty_token":              {"Bearer "},
		"empty_field":              {""},
		"tab_for_space":            {"Bearer\t" + good},
	}

	tokens := h.algorithms(tb)
	maps.Copy(tokens, h.headers(tb))
	maps.Copy(tokens, h.forms(tb))
	maps.Copy(tokens, h.types(tb))
	maps.Copy(tokens, h.encodings(tb))

	for name, claims := range wrongClaims() {
		tokens[name] = h.Good.Token(tb, nil, claims)
	}

	for name, claims := range twice() {
		tokens[name] = h.Good.Sign(tb, Object{"alg": "EdDSA", "kid": KeyID}, json.RawMessage(claims))
	}

	for name, token := range tokens {
		out[name] = []string{"Bearer " + token}
	}

	return out
}

// none is an unsigned token.
func none(tb testing.TB, alg string) string {
	tb.Helper()

	return Segment(tb, Object{"alg": alg, "kid": KeyID}) + "." + Segment(tb, GoodClaims()) + "."
}

// hmac signs with a secret that is public.
func hmac(tb testing.TB, method *jwt.SigningMethodHMAC, keyID string, secret []byte) string {
	tb.Helper()

	token := jwt.NewWithClaims(method, jwt.MapClaims(GoodClaims()))
	token.Header["kid"] = keyID

	signed, err := token.SignedString(secret)
	if err != nil {
		tb.Fatal(err)
	}

	return signed
}

// algorithms returns tokens of another algorithm than the key's.
func (h *Hostile) algorithms(tb testing.TB) map[string]string {
	tb.Helper()

	der, err := x509.MarshalPKIXPublicKey(h.RSA.Private.Public())
	if err != nil {
		tb.Fatal(err)
	}

	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	edKey := h.Good.JWK(tb, nil)
	out := map[string]string{
		"alg_empty":                   none(tb, ""),
		"alg_none_with_space":         none(tb, "none "),
		"alg_none_with_signature":     none(tb, "none") + strings.Split(h.Good.Token(tb, nil, nil), ".")[2],
		"alg_none_twice":              base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","alg":"none"}`)) + none(tb, "x"),
		"alg_missing":                 h.Good.Token(tb, Object{"alg": nil}, nil),
		"alg_number":                  h.Good.Token(tb, Object{"alg": 256}, nil),
		"alg_array":                   h.Good.Token(tb, Object{"alg": []string{"EdDSA"}}, nil),
		"alg_lower_case":              h.Good.Token(tb, Object{"alg": "eddsa"}, nil),
		"alg_unknown":                 h.Good.Token(tb, Object{"alg": "XX512"}, nil),
		"alg_swapped_for_another":     h.Good.Token(tb, Object{"alg": "ES256"}, nil),
		"alg_rs_key_as_ps":            h.RSA.Token(tb, Object{"alg": "PS256"}, nil),
		"alg_rs_key_as_ps_resigned":   Signer{Alg: "PS256", KeyID: h.RSA.KeyID, Private: h.RSA.Private}.Token(tb, nil, nil),
		"alg_ps_signature_said_rs":    Signer{Alg: "PS256", KeyID: h.RSA.KeyID, Private: h.RSA.Private}.Token(tb, Object{"alg": "RS256"}, nil),
		"alg_known_but_not_accepted":  Signer{Alg: "RS512", KeyID: h.RSA.KeyID, Private: h.RSA.Private}.Token(tb, nil, nil),
		"hs256_with_rsa_pem":          hmac(tb, jwt.SigningMethodHS256, h.RSA.KeyID, asPEM),
		"hs256_with_rsa_pem_stripped": hmac(tb, jwt.SigningMethodHS256, h.RSA.KeyID, []byte(strings.TrimSpace(string(asPEM)))),
		"hs384_with_rsa_pem":          hmac(tb, jwt.SigningMethodHS384, h.RSA.KeyID, asPEM),
		"hs512_with_rsa_pem":          hmac(tb, jwt.SigningMethodHS512, h.RSA.KeyID, asPEM),
		"hs256_with_rsa_der":          hmac(tb, jwt.SigningMethodHS256, h.RSA.KeyID, der),
		"hs256_with_rsa_jwk":          hmac(tb, jwt.SigningMethodHS256, h.RSA.KeyID, JSON(tb, h.RSA.JWK(tb, nil))),
		"hs256_with_ed_public_key":    hmac(tb, jwt.SigningMethodHS256, KeyID, []byte(edKey["x"].(string))),
		"hs256_with_nothing":          hmac(tb, jwt.SigningMethodHS256, KeyID, nil),
	}

	if public, ok := h.RSA.Private.Public().(*rsa.PublicKey); ok {
		out["hs256_with_rsa_modulus"] = hmac(tb, jwt.SigningMethodHS256, h.RSA.KeyID, public.N.Bytes())
	}

	// All spellings of "none".
	for bits := range 1 << len("none") {
		spelling := []byte("none")
		for i := range spelling {
			if bits>>i&1 == 1 {
				spelling[i] -= 'a' - 'A'
			}
		}

		out["alg_"+string(spelling)] = none(tb, string(spelling))
	}

	return out
}
