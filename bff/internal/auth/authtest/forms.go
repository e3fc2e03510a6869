package authtest

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// headers are tokens that name a key, or ask for a treatment, of the forger's choice.
func (h *Hostile) headers(tb testing.TB) map[string]string {
	tb.Helper()

	jwk := h.evil.JWK(tb, nil)
	evil := func(header Object) string { return h.evil.Token(tb, header, nil) }
	good := func(header Object) string { return h.Good.Token(tb, header, nil) }

	return map[string]string{
		"own_key":                       evil(nil),
		"own_key_in_jwk":                evil(Object{"jwk": jwk}),
		"own_key_in_jwk_without_kid":    evil(Object{"jwk": jwk, "kid": nil}),
		"own_key_in_jwk_of_another_kid": evil(Object{"jwk": jwk, "kid": "evil"}),
		"own_key_in_jwks":               evil(Object{"jwks": Object{"keys": []any{jwk}}}),
		"own_key_at_jku":                evil(Object{"jku": h.URL}),
		"own_key_at_jku_of_the_issuer":  evil(Object{"jku": Issuer + "@" + strings.TrimPrefix(h.URL, "http://")}),
		"own_key_at_jku_unknown_kid":    evil(Object{"jku": h.URL, "kid": "evil"}),
		"own_key_at_x5u":                evil(Object{"x5u": h.URL}),
		"own_key_at_x5u_without_kid":    evil(Object{"x5u": h.URL, "kid": nil}),
		"own_key_in_x5c":                evil(Object{"x5c": []string{"MIIB"}}),
		"kid_unknown":                   good(Object{"kid": "key-9"}),
		"kid_of_another_type":           good(Object{"kid": "key-rsa"}),
		"kid_is_a_path":                 evil(Object{"kid": "../../../../dev/null"}),
		"kid_is_a_file_url":             evil(Object{"kid": "file:///dev/null"}),
		"kid_is_a_url":                  evil(Object{"kid": h.URL}),
		"kid_is_sql":                    evil(Object{"kid": "x' UNION SELECT 'secret' --"}),
		"kid_is_a_command":              evil(Object{"kid": "key-1|sleep 9"}),
		"kid_with_nul":                  evil(Object{"kid": KeyID + "\x00"}),
		"kid_of_10_kb":                  evil(Object{"kid": strings.Repeat("k", 10_000)}),
		"kid_of_5_kb":                   evil(Object{"kid": strings.Repeat("k", 5_000)}),
		"kid_number":                    good(Object{"kid": 1}),
		"kid_array":                     good(Object{"kid": []string{KeyID}}),
		"kid_null":                      good(Object{"kid": json.RawMessage("null")}),
		"kid_empty":                     good(Object{"kid": ""}),
		"crit_unknown":                  good(Object{"crit": []string{"x"}, "x": 1}),
		"crit_b64":                      good(Object{"crit": []string{"b64"}, "b64": false}),
		"crit_exp":                      good(Object{"crit": []string{"exp"}}),
		"crit_empty":                    good(Object{"crit": []string{}}),
		"crit_null":                     good(Object{"crit": json.RawMessage("null")}),
		"b64_false":                     good(Object{"b64": false}),
		"zip":                           good(Object{"zip": "DEF"}),
	}
}

// forms are no tokens at all, or not any more.
func (h *Hostile) forms(tb testing.TB) map[string]string {
	tb.Helper()

	good := h.Good.Token(tb, nil, nil)
	another := h.Good.Token(tb, nil, Object{"iat": 9})
	parts := strings.Split(good, ".")
	rest := parts[1] + "." + parts[2]
	encode := base64.RawURLEncoding.EncodeToString

	return map[string]string{
		"signature_missing":           parts[0] + "." + parts[1] + ".",
		"signature_of_another_token":  parts[0] + "." + parts[1] + "." + strings.Split(another, ".")[2],
		"signature_cut":               good[:len(good)-4],
		"signature_zero":              parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"claims_exchanged":            parts[0] + "." + Segment(tb, Changed(GoodClaims(), Object{"sub": "root"})) + "." + parts[2],
		"two_parts":                   parts[0] + "." + parts[1],
		"one_part":                    parts[0],
		"four_parts":                  good + ".x",
		"jwe_of_five_parts":           Segment(tb, Object{"alg": "RSA-OAEP", "enc": "A256GCM"}) + ".AAAA.BBBB.CCCC.DDDD",
		"jwe_with_zip":                Segment(tb, Object{"alg": "dir", "enc": "A256GCM", "zip": "DEF"}) + "..BBBB." + strings.Repeat("C", 7000) + ".DDDD",
		"jwe_of_many_rounds":          Segment(tb, Object{"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 1 << 31, "p2s": "AA"}) + ".A.B.C.D",
		"jwe_in_three_parts":          Segment(tb, Object{"alg": "dir", "enc": "A256GCM", "kid": KeyID}) + "." + rest,
		"only_dots":                   "..",
		"four_thousand_dots":          strings.Repeat(".", 4000),
		"a_megabyte_of_dots":          strings.Repeat(".", 1<<20),
		"a_megabyte":                  strings.Repeat("a", 1<<20),
		"a_megabyte_in_three_parts":   strings.Repeat(strings.Repeat("a", 333_000)+".", 2) + strings.Repeat("a", 333_000),
		"over_8_kib":                  h.Good.Token(tb, nil, Object{"pad": strings.Repeat("x", 8<<10)}),
		"not_base64":                  "!!!.???.***",
		"padded_base64":               parts[0] + "=." + rest,
		"standard_base64":             parts[0] + "." + parts[1] + ".+/+/",
		"space_within":                parts[0] + ". " + rest,
		"not_json":                    encode([]byte("hello")) + "." + rest,
		"json_with_comment":           encode([]byte(`{"alg":"EdDSA"/**/}`)) + "." + rest,
		"json_twice":                  encode([]byte(`{"alg":"EdDSA"}{}`)) + "." + rest,
		"json_serialization":          encode([]byte(`{"payload":"e30","signatures":[]}`)),
		"header_is_an_array":          Segment(tb, []string{"alg"}) + "." + rest,
		"header_is_null":              Segment(tb, nil) + "." + rest,
		"header_is_empty":             "." + rest,
		"header_nested_deep":          encode([]byte(strings.Repeat("[", 4000))) + ".e30.",
		"header_nested_deep_in_claim": encode([]byte(`{"alg":"EdDSA","x":`+strings.Repeat(`{"a":`, 900)+"1"+strings.Repeat("}", 901))) + "." + rest,
		"claims_are_null":             h.Good.Sign(tb, Object{"alg": "EdDSA", "kid": KeyID}, nil),
		"claims_are_an_array":         h.Good.Sign(tb, Object{"alg": "EdDSA", "kid": KeyID}, []any{GoodClaims()}),
		"two_tokens_in_one_field":     good + ", " + good,
		"bearer_twice":                "Bearer " + good,
	}
}
