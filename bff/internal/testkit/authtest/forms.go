package authtest

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

// headers returns tokens whose header has a key, or a parameter, of the attacker's choice.
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
		"enc":                           good(Object{"enc": "A256GCM"}),
		"cty_jwt":                       good(Object{"cty": "JWT"}),
		"cty_jwt_with_prefix":           good(Object{"cty": "application/jwt"}),
		"cty_number":                    good(Object{"cty": 1}),
	}
}

// types returns good tokens of another type than an access token's, or of none.
func (h *Hostile) types(tb testing.TB) map[string]string {
	tb.Helper()

	out := map[string]string{}

	for name, typ := range map[string]any{
		"logout": "logout+jwt", "logout_with_prefix": "application/logout+jwt", "logout_in_capitals": "LOGOUT+JWT", "event": "secevent+jwt",
		"dpop": "dpop+jwt", "jwe": "JWE", "jose": "JOSE", "jose_json": "JOSE+JSON", "id_token": "id_token", "id_token_jwt": "id_token+jwt",
		"id": "ID", "refresh": "Refresh", "introspection": "token-introspection+jwt", "request": "oauth-authz-req+jwt", "client": "client-authentication+jwt",
		"entity": "entity-statement+jwt", "sd": "dc+sd-jwt", "bearer": "Bearer", "longer": "at+jwt2", "shorter": "jw", "text_jwt": "text/jwt",
		"prefix_twice": "application/application/at+jwt", "prefix_alone": "application/", "parameter": "at+jwt; charset=utf-8",
		"leading_space": " JWT", "trailing_space": "JWT ", "trailing_nul": "JWT\x00", "dotless_i": "applıcation/jwt", "list_in_text": "JWT,at+jwt",
		"empty": "", "null": json.RawMessage("null"), "number": 1, "boolean": true, "array": []string{"JWT"}, "object": Object{"JWT": true},
		"twice_as_long_as_sense": strings.Repeat("JWT", 1000),
	} {
		out["typ_"+name] = h.Good.Token(tb, Object{"typ": typ}, nil)
	}

	raw := json.RawMessage(`{"alg":"EdDSA","kid":"` + KeyID + `","typ":"logout+jwt","typ":"JWT"}`)
	out["typ_twice"] = h.Good.Sign(tb, raw, GoodClaims())

	return out
}

// encodings returns signed headers and claims that are not JSON in UTF-8, or that two parsers may understand differently.
func (h *Hostile) encodings(tb testing.TB) map[string]string {
	tb.Helper()

	good := string(JSON(tb, GoodClaims()))
	header := `{"alg":"EdDSA","kid":"` + KeyID + `"}`
	with := func(member string) string { return good[:len(good)-1] + "," + member + "}" }
	claims := map[string]string{
		"latin_1": with("\"x\":\"Zo\xeb\""), "latin_1_name": with("\"\xeb\":1"), "overlong": with("\"x\":\"\xc0\xaf\""),
		"surrogate_in_utf_8": with("\"x\":\"\xed\xa0\x80\""), "cut": with("\"x\":\"\xe2\x82\""), "beyond_unicode": with("\"x\":\"\xf4\x90\x80\x80\""),
		"half_a_pair": with(`"x":"\ud800"`), "half_a_pair_name": with(`"\udfff":1`), "bom": "\ufeff" + good, "bom_at_the_end": good + "\ufeff",
		"utf_16": "\xff\xfe" + good, "nul_at_the_end": good + "\x00", "raw_line_end_in_text": with("\"x\":\"a\nb\""),
		"exp_beyond_numbers": with(`"nbf":1e400`), "exp_nan": with(`"nbf":NaN`), "exp_infinite": with(`"nbf":Infinity`), "number_with_zero": with(`"nbf":01`),
		"single_quotes": strings.ReplaceAll(good, `"`, `'`), "comma_at_the_end": good[:len(good)-1] + ",}", "twice_in_an_object": with(`"x":{"a":1,"a":2}`),
		"twice_in_an_array": with(`"x":[{"a":1,"a":2}]`), "a_token": `"` + h.Good.Token(tb, nil, nil) + `"`, "in_an_array": "[" + good + "]",
	}

	out := map[string]string{}
	for name, text := range claims {
		out["claims_"+name] = h.Good.SignRaw(tb, header, text)
	}

	for name, text := range map[string]string{
		"latin_1": header[:len(header)-1] + ",\"x\":\"\xeb\"}", "bom": "\ufeff" + header, "half_a_pair": header[:len(header)-1] + `,"x":"\ud800"}`,
		"utf_16": "\xff\xfe" + header, "alg_twice": `{"alg":"EdDSA",` + header[1:], "kid_twice": header[:len(header)-1] + `,"kid":"` + KeyID + `"}`,
	} {
		out["header_"+name] = h.Good.SignRaw(tb, text, good)
	}

	return out
}

// forms returns texts that are no tokens, or not any more.
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
