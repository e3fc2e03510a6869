package authtest

import (
	"encoding/json"
	"math"
	"strings"
	"time"
)

// wrongClaims are not acceptable, although the issuer has signed them.
func wrongClaims() map[string]Object {
	now := time.Now()
	null := json.RawMessage("null")

	return map[string]Object{
		"exp_missing":             {"exp": nil},
		"exp_null":                {"exp": null},
		"exp_past":                {"exp": now.Add(-time.Hour).Unix()},
		"exp_beyond_leeway":       {"exp": now.Add(-31 * time.Second).Unix()},
		"exp_zero":                {"exp": 0},
		"exp_negative":            {"exp": -1},
		"exp_string":              {"exp": "4102444800"},
		"exp_boolean":             {"exp": true},
		"exp_array":               {"exp": []int64{now.Add(time.Hour).Unix()}},
		"exp_overflows":           {"exp": 1e300},
		"exp_beyond_year_9999":    {"exp": 253402300800},
		"nbf_future":              {"nbf": now.Add(time.Hour).Unix()},
		"nbf_in_two_minutes":      {"nbf": now.Add(2 * time.Minute).Unix()},
		"nbf_string":              {"nbf": "0"},
		"nbf_null":                {"nbf": null},
		"nbf_object":              {"nbf": Object{}},
		"nbf_overflows":           {"nbf": math.MaxFloat64},
		"iat_future":              {"iat": now.Add(time.Hour).Unix()},
		"iat_in_two_minutes":      {"iat": now.Add(2 * time.Minute).Unix()},
		"iat_string":              {"iat": "0"},
		"iat_null":                {"iat": null},
		"iat_negative":            {"iat": -1},
		"iss_missing":             {"iss": nil},
		"iss_null":                {"iss": null},
		"iss_empty":               {"iss": ""},
		"iss_unknown":             {"iss": "https://evil.example"},
		"iss_with_slash":          {"iss": Issuer + "/"},
		"iss_other_case":          {"iss": strings.ToUpper(Issuer)},
		"iss_number":              {"iss": 7},
		"iss_array":               {"iss": []string{Issuer}},
		"iss_under_another_name":  {"iss": nil, "ISS": Issuer},
		"aud_missing":             {"aud": nil},
		"aud_null":                {"aud": null},
		"aud_empty":               {"aud": ""},
		"aud_empty_array":         {"aud": []string{}},
		"aud_other":               {"aud": "other"},
		"aud_prefix":              {"aud": Audience + "-admin"},
		"aud_number":              {"aud": 1},
		"aud_object":              {"aud": Object{Audience: true}},
		"aud_mixed_array":         {"aud": []any{Audience, 1}},
		"sub_missing":             {"sub": nil},
		"sub_null":                {"sub": null},
		"sub_empty":               {"sub": ""},
		"sub_number":              {"sub": 42},
		"sub_boolean":             {"sub": true},
		"sub_array":               {"sub": []string{"ada"}},
		"sub_object":              {"sub": Object{"sub": "ada"}},
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
		"scp_object":              {"scope": nil, "scp": Object{"admin": true}},
		"scp_array_of_numbers":    {"scope": nil, "scp": []int{1}},
		"scp_with_space":          {"scope": nil, "scp": []string{"a admin"}},
		"roles_object":            {"roles": Object{"admin": true}},
		"tenant_array":            {"tenant": []string{"acme"}},
		"exp_object":              {"exp": Object{}},
		"aud_array_with_null":     {"aud": []any{Audience, nil}},
		"aud_nested_array":        {"aud": []any{[]string{Audience}}},
		"aud_boolean":             {"aud": true},
		"aud_two_in_one_text":     {"aud": Audience + " other"},
		"aud_other_case":          {"aud": strings.ToUpper(Audience)},
		"logout_event":            {"events": Object{"http://schemas.openid.net/event/backchannel-logout": Object{}}},
		"bound_to_a_key":          {"cnf": Object{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
		"bound_to_a_certificate":  {"cnf": Object{"x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}},
		"bound_to_nothing":        {"cnf": null},
	}
}

// twice returns claims with a duplicate member, first with a good value and then with another, or the other way.
func twice() map[string]string {
	out := map[string]string{}

	for _, name := range []string{"exp", "nbf", "iat", "iss", "aud", "sub", "scope"} {
		good, err := json.Marshal(Changed(GoodClaims(), Object{"nbf": 1}))
		if err != nil {
			panic(err) // Strings and numbers always encode.
		}

		members := strings.Trim(string(good), "{}")
		out[name+"_twice"] = `{` + members + `,"` + name + `":1}`
		out[name+"_twice_good_last"] = `{"` + name + `":1,` + members + `}`
		out[name+"_twice_in_escapes"] = `{` + members + `,"\u00` + hexOf(name[0]) + name[1:] + `":1}`
	}

	return out
}

func hexOf(c byte) string {
	const digits = "0123456789abcdef"

	return string([]byte{digits[c>>4], digits[c&0xf]})
}
