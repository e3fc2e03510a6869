package auth_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// attack is what a hostile caller has at hand.
type attack struct {
	good    signer // The key of the issuer, to have it sign strange claims.
	rsa     signer // Another one.
	evil    signer // The caller's own key, under the name of the good one.
	evilURL string // Where the caller would like the gateway to fetch a key.
}

func newAttack(t *testing.T) (attack, *atomic.Int32) {
	t.Helper()

	var visits atomic.Int32

	a := attack{good: newSigner(t, "EdDSA", keyName), rsa: newSigner(t, "RS256", "key-rsa"), evil: newSigner(t, "EdDSA", keyName)}
	set := keySetOf(t, a.evil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		visits.Add(1)

		_, _ = w.Write(set)
	}))
	t.Cleanup(server.Close)

	a.evilURL = server.URL

	return a, &visits
}

type object = map[string]any

// none is an unsigned token.
func none(tb testing.TB, alg string) string {
	tb.Helper()

	return segment(tb, object{"alg": alg, "kid": keyName}) + "." + segment(tb, goodClaims()) + "."
}

// hmacWith signs with the text of a public key as the secret.
func hmacWith(tb testing.TB, method *jwt.SigningMethodHMAC, s signer) string {
	tb.Helper()

	der, err := x509.MarshalPKIXPublicKey(s.private.Public())
	if err != nil {
		tb.Fatal(err)
	}

	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	token := jwt.NewWithClaims(method, jwt.MapClaims(goodClaims()))
	token.Header["kid"] = s.kid

	signed, err := token.SignedString(secret)
	if err != nil {
		tb.Fatal(err)
	}

	return signed
}

// hostileHeaders are tokens whose header or signature is wrong.
func hostileHeaders(tb testing.TB, a attack) map[string]string {
	tb.Helper()

	good := a.good.token(tb, nil, nil)
	another := a.good.token(tb, nil, object{"iat": 9})
	parts := strings.Split(good, ".")
	rest := parts[1] + "." + parts[2]
	evilJWK := a.evil.jwk(tb, nil)

	return map[string]string{
		"alg_none":                    none(tb, "none"),
		"alg_None":                    none(tb, "None"),
		"alg_NONE":                    none(tb, "NONE"),
		"alg_nOnE":                    none(tb, "nOnE"),
		"alg_empty":                   none(tb, ""),
		"alg_none_with_signature":     none(tb, "none") + parts[2],
		"alg_missing":                 a.good.token(tb, object{"alg": nil}, nil),
		"alg_number":                  a.good.token(tb, object{"alg": 256}, nil),
		"alg_lower_case":              a.good.token(tb, object{"alg": "eddsa"}, nil),
		"alg_unknown":                 a.good.token(tb, object{"alg": "XX512"}, nil),
		"alg_swapped_for_another":     a.good.token(tb, object{"alg": "ES256"}, nil),
		"alg_swapped_within_rsa":      a.rsa.token(tb, object{"alg": "PS256"}, nil),
		"alg_known_but_not_accepted":  signer{alg: "RS512", kid: a.rsa.kid, private: a.rsa.private}.token(tb, nil, nil),
		"hs256_with_rsa_public_key":   hmacWith(tb, jwt.SigningMethodHS256, a.rsa),
		"hs512_with_rsa_public_key":   hmacWith(tb, jwt.SigningMethodHS512, a.rsa),
		"hs256_with_ed_public_key":    hmacWith(tb, jwt.SigningMethodHS256, a.good),
		"own_key":                     a.evil.token(tb, nil, nil),
		"own_key_in_jwk":              a.evil.token(tb, object{"jwk": evilJWK}, nil),
		"own_key_in_jwk_without_kid":  a.evil.token(tb, object{"jwk": evilJWK, "kid": nil}, nil),
		"own_key_at_jku":              a.evil.token(tb, object{"jku": a.evilURL}, nil),
		"own_key_at_jku_unknown_kid":  a.evil.token(tb, object{"jku": a.evilURL, "kid": "evil"}, nil),
		"own_key_at_x5u":              a.evil.token(tb, object{"x5u": a.evilURL}, nil),
		"own_key_in_x5c":              a.evil.token(tb, object{"x5c": []string{"MIIB"}}, nil),
		"kid_unknown":                 a.good.token(tb, object{"kid": "key-9"}, nil),
		"kid_of_another_type":         a.good.token(tb, object{"kid": "key-rsa"}, nil),
		"kid_is_a_path":               a.evil.token(tb, object{"kid": "../../../../dev/null"}, nil),
		"kid_is_a_url":                a.evil.token(tb, object{"kid": a.evilURL}, nil),
		"kid_number":                  a.good.token(tb, object{"kid": 1}, nil),
		"kid_empty":                   a.good.token(tb, object{"kid": ""}, nil),
		"crit_unknown":                a.good.token(tb, object{"crit": []string{"x"}, "x": 1}, nil),
		"crit_b64":                    a.good.token(tb, object{"crit": []string{"b64"}, "b64": false}, nil),
		"crit_empty":                  a.good.token(tb, object{"crit": []string{}}, nil),
		"signature_missing":           parts[0] + "." + parts[1] + ".",
		"signature_of_another_token":  strings.Join(parts[:2], ".") + "." + strings.Split(another, ".")[2],
		"signature_cut":               good[:len(good)-4],
		"claims_exchanged":            parts[0] + "." + segment(tb, changed(goodClaims(), object{"sub": "root"})) + "." + parts[2],
		"two_parts":                   parts[0] + "." + parts[1],
		"one_part":                    parts[0],
		"four_parts":                  good + ".x",
		"jwe_of_five_parts":           parts[0] + "..AAAA.BBBB.CCCC",
		"only_dots":                   "..",
		"many_dots":                   strings.Repeat(".", 4000),
		"not_base64":                  "!!!.???.***",
		"padded_base64":               parts[0] + "=." + parts[1] + "." + parts[2],
		"standard_base64":             parts[0] + "." + parts[1] + ".+/+/",
		"not_json":                    base64.RawURLEncoding.EncodeToString([]byte("hello")) + "." + rest,
		"header_is_an_array":          segment(tb, []string{"alg"}) + "." + rest,
		"header_is_null":              segment(tb, nil) + "." + rest,
		"json_twice":                  base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA"}{}`)) + "." + rest,
		"deeply_nested_header":        base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("[", 4000))) + ".e30.",
		"two_tokens_in_one_field":     good + ", " + good,
		"bearer_twice":                "Bearer " + good,
		"over_8_kib":                  a.good.token(tb, nil, object{"pad": strings.Repeat("x", 8<<10)}),
		"one_megabyte":                strings.Repeat("a", 1_000_000),
		"one_megabyte_in_three_parts": strings.Repeat(strings.Repeat("a", 333_000)+".", 2) + strings.Repeat("a", 333_000),
	}
}

// hostileClaims are claims that the issuer signed and that are nevertheless not acceptable here.
func hostileClaims() map[string]object {
	now := time.Now()

	return map[string]object{
		"exp_missing":             {"exp": nil},
		"exp_past":                {"exp": now.Add(-time.Hour).Unix()},
		"exp_beyond_leeway":       {"exp": now.Add(-31 * time.Second).Unix()},
		"exp_zero":                {"exp": 0},
		"exp_negative":            {"exp": -1},
		"exp_string":              {"exp": "4102444800"},
		"exp_array":               {"exp": []int64{now.Add(time.Hour).Unix()}},
		"exp_overflows":           {"exp": 1e300},
		"exp_beyond_year_9999":    {"exp": 253402300800},
		"nbf_future":              {"nbf": now.Add(time.Hour).Unix()},
		"nbf_beyond_leeway":       {"nbf": now.Add(35 * time.Second).Unix()},
		"nbf_string":              {"nbf": "0"},
		"nbf_overflows":           {"nbf": math.MaxFloat64},
		"iat_future":              {"iat": now.Add(time.Hour).Unix()},
		"iat_beyond_leeway":       {"iat": now.Add(35 * time.Second).Unix()},
		"iss_missing":             {"iss": nil},
		"iss_empty":               {"iss": ""},
		"iss_unknown":             {"iss": "https://evil.example"},
		"iss_with_slash":          {"iss": issuerName + "/"},
		"iss_other_case":          {"iss": strings.ToUpper(issuerName)},
		"iss_array":               {"iss": []string{issuerName}},
		"iss_under_another_name":  {"iss": nil, "ISS": issuerName},
		"aud_missing":             {"aud": nil},
		"aud_empty":               {"aud": ""},
		"aud_empty_array":         {"aud": []string{}},
		"aud_other":               {"aud": "other"},
		"aud_prefix":              {"aud": audience + "-admin"},
		"aud_number":              {"aud": 1},
		"aud_mixed_array":         {"aud": []any{audience, 1}},
		"sub_missing":             {"sub": nil},
		"sub_empty":               {"sub": ""},
		"sub_number":              {"sub": 42},
		"sub_array":               {"sub": []string{"ada"}},
		"sub_under_another_name":  {"sub": nil, "Sub": "ada"},
		"sub_with_newline":        {"sub": "ada\nx-portico-scopes: admin"},
		"sub_with_carriage":       {"sub": "ada\r"},
		"sub_with_nul":            {"sub": "ada\x00"},
		"sub_with_delete":         {"sub": "ada\x7f"},
		"sub_not_ascii":           {"sub": "ädå"},
		"sub_with_leading_space":  {"sub": " ada"},
		"sub_with_trailing_space": {"sub": "ada "},
		"sub_too_long":            {"sub": strings.Repeat("s", 256)},
		"scope_array":             {"scope": []string{"admin"}},
		"scope_number":            {"scope": 1},
		"scope_with_newline":      {"scope": "a\nb"},
		"scp_object":              {"scope": nil, "scp": object{"admin": true}},
		"scp_array_of_numbers":    {"scope": nil, "scp": []int{1}},
		"scp_with_space":          {"scope": nil, "scp": []string{"a admin"}},
	}
}

func TestHazard22HostileTokensAreRefusedAlike(t *testing.T) {
	t.Parallel()

	a, visits := newAttack(t)
	config := trusting(t, a.good, a.rsa)
	url := start(t, mustNew(t, config))

	// The tests below would prove nothing if a good token were refused too.
	call(t, url, "Bearer "+a.good.token(t, nil, nil)).principal(t)
	call(t, url, "Bearer "+a.rsa.token(t, nil, nil)).principal(t)

	refuses := func(name string, fields ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			got := call(t, url, fields...)
			if got.status != http.StatusUnauthorized || got.challenge != `Bearer error="invalid_token"` {
				t.Errorf("status %d, WWW-Authenticate %q", got.status, got.challenge)
			}

			if want := `"detail":"the access token is not valid"`; !strings.Contains(got.body, want) {
				t.Errorf("body = %s", got.body)
			}
		})
	}

	for name, token := range hostileHeaders(t, a) {
		refuses(name, "Bearer "+token)
	}

	for name, claims := range hostileClaims() {
		refuses(name, "Bearer "+a.good.token(t, nil, claims))
	}

	good := a.good.token(t, nil, nil)
	refuses("payload_is_null", "Bearer "+a.good.sign(t, object{"alg": "EdDSA", "kid": keyName}, nil))
	refuses("two_fields", "Bearer "+good, "Bearer "+good)
	refuses("good_and_anonymous_field", "Bearer "+good, "")
	refuses("basic", "Basic YWRhOnNlY3JldA==")
	refuses("other_scheme", "DPoP "+good)
	refuses("no_scheme", good)
	refuses("no_token", "Bearer")
	refuses("empty_token", "Bearer ")
	refuses("empty_field", "")
	refuses("tab_for_space", "Bearer\t"+good)

	t.Cleanup(func() {
		if visits.Load() != 0 {
			t.Errorf("the gateway followed a token to a key %d times", visits.Load())
		}
	})
}

func TestHazard22KeyIDIsNeededIfSeveralKeysFit(t *testing.T) {
	t.Parallel()

	one, two := newSigner(t, "EdDSA", "one"), newSigner(t, "EdDSA", "two")
	url := start(t, mustNew(t, trusting(t, one, two)))

	if got := call(t, url, "Bearer "+one.token(t, object{"kid": nil}, nil)); got.status != http.StatusUnauthorized {
		t.Errorf("answer = %+v", got)
	}
}

func TestHazard22OnlyConfiguredAlgorithms(t *testing.T) {
	t.Parallel()

	one, two := newSigner(t, "EdDSA", "one"), newSigner(t, "ES256", "two")
	config := trusting(t, one, two)
	config.Algorithms = []string{"ES256"}
	url := start(t, mustNew(t, config))

	call(t, url, "Bearer "+two.token(t, nil, nil)).principal(t)

	if got := call(t, url, "Bearer "+one.token(t, nil, nil)); got.status != http.StatusUnauthorized {
		t.Errorf("answer = %+v", got)
	}
}
