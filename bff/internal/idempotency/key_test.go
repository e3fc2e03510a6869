package idempotency_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
)

func TestKeysAreStringsOrBare(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		lines []string
		want  string // Empty: refused.
	}{
		{"quoted", []string{`"8e03978e-40d5-43dd-bc93-6894a57f9324"`}, "8e03978e-40d5-43dd-bc93-6894a57f9324"},
		{"bare", []string{"8e03978e-40d5-43dd-bc93-6894a57f9324"}, "8e03978e-40d5-43dd-bc93-6894a57f9324"},
		{"bare_base64", []string{"a+/b=="}, "a+/b=="},
		{"quoted_with_spaces", []string{`" a b "`}, " a b "},
		{"escaped_quote", []string{`"a\"b"`}, `a"b`},
		{"escaped_backslash", []string{`"a\\"`}, `a\`},
		{"longest", []string{strings.Repeat("k", 255)}, strings.Repeat("k", 255)},
		{"longest_escaped", []string{`"` + strings.Repeat(`\\`, 255) + `"`}, strings.Repeat(`\`, 255)},
		{"too_long", []string{strings.Repeat("k", 256)}, ""},
		{"too_long_quoted", []string{`"` + strings.Repeat("k", 256) + `"`}, ""},
		{"none", nil, ""},
		{"two_lines", []string{"a", "b"}, ""},
		{"two_equal_lines", []string{"a", "a"}, ""},
		{"two_lines_made_one", []string{"a, b"}, ""},
		{"two_lines_made_one_without_space", []string{"a,b"}, ""},
		{"two_strings_made_one", []string{`"a", "b"`}, ""},
		{"empty", []string{""}, ""},
		{"empty_string", []string{`""`}, ""},
		{"bare_with_space", []string{"a b"}, ""},
		{"bare_with_quote", []string{`a"b`}, ""},
		{"bare_with_backslash", []string{`a\b`}, ""},
		{"bare_with_parameter", []string{"a;b=c"}, ""},
		{"parameter", []string{`"a";b=c`}, ""},
		{"not_closed", []string{`"a`}, ""},
		{"only_a_quote", []string{`"`}, ""},
		{"closing_quote_escaped", []string{`"a\"`}, ""},
		{"ends_in_escape", []string{`"a\`}, ""},
		{"other_escape", []string{`"a\n"`}, ""},
		{"control_character", []string{"\"a\tb\""}, ""},
		{"delete_character", []string{"a\x7f"}, ""},
		{"not_ascii", []string{"clé"}, ""},
		{"not_utf8", []string{"cl\xe9"}, ""},
		{"byte_sequence_is_taken_as_it_is", []string{":YQ==:"}, ":YQ==:"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got, err := idempotency.ParseKey(tt.lines)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// What is no part of the request does not make another of it.
func TestSameRequestInAnotherForm(t *testing.T) {
	t.Parallel()

	next := &counter{Handler: http.HandlerFunc(create)}
	h := idempotency.New(idempotency.NewMemory(64 << 20)).Route(detailed())(next)
	wantStatus(t, call{}.to(t, h), http.StatusCreated, false)

	for name, c := range map[string]call{
		"key_without_quotes":     {keys: []string{"key-1"}},
		"forwarded_key":          {rec: forwarding("idempotency-key", "key-1")},
		"another_trace":          {rec: forwarding("traceparent", "00-a-b-01")},
		"coding_of_the_answer":   {header: http.Header{"Accept-Encoding": {"gzip"}}},
		"body_that_is_not_coded": {encoding: "identity"},
		"header_of_no_field":     {header: http.Header{"X-Anything": {"a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			wantStatus(t, c.to(t, h), http.StatusCreated, true)
			next.want(t, 1)
		})
	}
}

func FuzzParseKey(f *testing.F) {
	for _, seed := range []string{"", "a", `"a"`, `"a\"b\\"`, `"a\`, "a, b", `"a";b`, "\x7f", "é"} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, line string) {
		key, err := idempotency.ParseKey([]string{line})
		if err != nil {
			if key != "" {
				t.Errorf("key %q and error %v", key, err)
			}

			return
		}

		if key == "" || len(key) > 255 || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("accepted %q as %q", line, key)
		}

		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key) + `"`
		if line != key && line != quoted {
			t.Errorf("%q has become %q", line, key)
		}

		if again, err := idempotency.ParseKey([]string{quoted}); err != nil || again != key {
			t.Errorf("%s: got %q, %v", quoted, again, err)
		}
	})
}
