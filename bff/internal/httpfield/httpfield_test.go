package httpfield_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/httpfield"
)

func TestElements(t *testing.T) {
	t.Parallel()

	for list, want := range map[string]string{
		"":                    "",
		", ,\t,":              "",
		"a,b":                 "a|b",
		" a ,\tb\t,, c":       "a|b|c",
		"a;x=\"1,2\", b":      `a;x="1,2"|b`,
		`"a\",b",c`:           `"a\",b"|c`,
		`"a\\",b`:             `"a\\"|b`,
		`"never closed, a, b`: `"never closed, a, b`,
		`a\,b`:                `a\|b`,
	} {
		if got := strings.Join(slices.Collect(httpfield.Elements([]string{list})), "|"); got != want {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}

	if got := strings.Join(slices.Collect(httpfield.Elements([]string{"a", "", "b,c"})), "|"); got != "a|b|c" {
		t.Errorf("lines: %q", got)
	}

	if !httpfield.Has([]string{"close", "X-A, Keep-Alive"}, "keep-alive") || httpfield.Has([]string{"x-a"}, "x") {
		t.Error("Has")
	}
}

func TestParseWeight(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]httpfield.Weight{
		"0": 0, "1": 1000, "0.": 0, "1.": 1000, "0.5": 500, "0.25": 250, "0.999": 999, "1.000": 1000, "0.001": 1, "0.000": 0,
		// Beside the grammar.
		".5": 500, ".2": 200, "1.0000": 1000, "0.9999": 999,
	} {
		if got, ok := httpfield.ParseWeight(text); !ok || got != want {
			t.Errorf("%q: %d, %t", text, got, ok)
		}
	}

	for _, text := range []string{
		"", ".", "5", "2", "1.001", "1.1", "-1", "-0", "+1", "nan", "NaN", "inf", "1e0", "0x1p-2", "00.5", "0,5", "0.5 ", " 0.5", "0.5.5", "01", "x",
	} {
		if got, ok := httpfield.ParseWeight(text); ok {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestCodings(t *testing.T) {
	t.Parallel()

	for accept, want := range map[string]string{
		"": "", "gzip": "gzip", "gzip, zstd": "gzip|zstd", "GZIP": "gzip", "br": "", "*": "", "*;q=0": "", "identity": "",
		"gzip;q=0.5, zstd;q=0.4": "gzip", "gzip ; q = 0.4, zstd ;Q=0.5": "zstd", "gzip;q=0": "", "gzip;q=0.001": "gzip",
		"identity, gzip;q=0.5": "", "identity;q=0.5, gzip": "gzip", "identity;q=0": "", "gzip, identity": "gzip",
		"gzip;q=5": "", "gzip;q=nan": "", "gzip;q=": "", "gzip;q": "", "gzip;q=-1, zstd": "zstd", "gzip;q=1.0000": "gzip", "gzip;q=.5": "gzip",
		"gzip;q=0.8, zstd;q=0.9, gzip": "zstd", "gzip;level=9;q=0": "", `gzip;x=";q=0"`: "gzip", `x;y="gzip, zstd"`: "", "gzipx": "", "x-gzip": "",
	} {
		if got := preferred([]string{accept}, "gzip", "zstd"); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}

	if got := preferred([]string{"br", "gzip"}, "gzip"); got != "gzip" {
		t.Errorf("lines: %q", got)
	}
}

// preferred are the names of the codings, joined.
func preferred(lines []string, offers ...string) string {
	bits := httpfield.Codings(lines, offers...)

	var names []string

	for i, offer := range offers {
		if bits>>i&1 == 1 {
			names = append(names, offer)
		}
	}

	return strings.Join(names, "|")
}

// Every request has these fields.
func TestCommonFieldsAreReadWithoutAllocation(t *testing.T) {
	accept := []string{"application/json, text/plain;q=0.9, */*;q=0.8"}
	encoding := []string{"gzip, deflate, br;q=0.5, zstd"}

	if n := testing.AllocsPerRun(100, func() {
		httpfield.Codings(encoding, "gzip", "zstd")

		for m := range httpfield.Accept(accept) {
			m.Param("error")
		}
	}); n > 0 {
		t.Errorf("%g allocations", n)
	}
}

func TestNegotiate(t *testing.T) {
	t.Parallel()

	offers := []string{"application/json", "text/html", "text/plain"}

	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "text/*": "text/html", "TEXT/Plain": "text/plain", "image/png": "",
		"text/plain, application/json": "text/plain", "application/json;q=0.5, text/plain;q=0.6": "text/plain",
		// The most specific range counts (RFC 9110, section 12.5.1).
		"text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, */*;q=0.5": "text/plain",
		"text/html;q=0, */*": "application/json", "*/*;q=0.1, application/json;q=0": "text/html", "text/*, text/html;q=0": "text/plain",
		"*/*;q=0": "", "text/plain;q=0": "", "text/html;q=5, text/plain": "text/plain", "text/html;q=nan": "application/json",
		"text/html;q=nan, image/png": "", "text/plain;q=.2": "text/plain", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2": "text/html",
		`text/plain;x="a, text/html"`: "text/plain", `text/plain;x=";q=0"`: "text/plain", "text": "application/json", "*/html": "", "text/html/x": "application/json",
	} {
		if got := httpfield.Negotiate([]string{accept}, offers); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}

	for m := range httpfield.Accept([]string{`application/json; Error="google.\rpc.Status" ;q=0.5`}) {
		if m.Type != "application/json" || m.Weight != 500 || m.Param("error") != "google.rpc.Status" || m.Param("none") != "" {
			t.Errorf("%+v", m)
		}
	}

	if got := httpfield.MediaType(" Text/HTML ; charset=x"); got != "text/html" {
		t.Errorf("%q", got)
	}
}

func TestEntityTags(t *testing.T) {
	t.Parallel()

	for list, want := range map[string]string{
		"": "", "*": "*", " * ": "*", `"a"`: `"a"`, `"a", W/"b","c"`: `"a" W/"b" "c"`, `"a,b", "c"`: `"a,b" "c"`, `""`: `""`,
		`"a\", "b"`: `"a\" "b"`, `,, "a" ,`: `"a"`, `a, "b"`: "", `"a" "b"`: `"a"`, `"a", b, "c"`: `"a"`, `w/"a"`: "", `W/ "a"`: "", `"a`: "",
		`"a b"`: "", `"*"`: `"*"`, `*, "a"`: "", `"a", *`: `"a"`, "\"\u00e9\"": "\"\u00e9\"",
	} {
		if got := strings.Join(slices.Collect(httpfield.EntityTags([]string{list})), " "); got != want {
			t.Errorf("%q: %q, want %q", list, got, want)
		}
	}

	for tag, want := range map[string]bool{`"a"`: true, `W/"a"`: true, "a": false, "": false, `"a"b`: false, "*": false} {
		if httpfield.IsEntityTag(tag) != want {
			t.Errorf("%q: %t", tag, !want)
		}
	}

	for _, row := range []struct {
		lines []string
		tag   string
		want  bool
	}{
		{nil, `"a"`, true},
		{[]string{`"a"`}, `"a"`, false},
		{[]string{`W/"a"`}, `"a"`, false},
		{[]string{`"a"`}, `W/"a"`, false},
		{[]string{`"b"`, `"c", "a"`}, `"a"`, false},
		{[]string{`"b"`}, `"a"`, true},
		{[]string{"*"}, `"a"`, false},
		{[]string{`"x,"a","y"`}, `"a"`, true},
		{[]string{`"a,b"`}, `"a"`, true},
		{[]string{"a"}, `"a"`, true},
	} {
		if got := httpfield.NoneMatch(row.lines, row.tag); got != row.want {
			t.Errorf("%q of %s: %t", row.lines, row.tag, got)
		}
	}
}

func TestDirectives(t *testing.T) {
	t.Parallel()

	got := maps.Collect(httpfield.Directives([]string{`No-Store, MAX-AGE = 5 , private="set-cookie, x-a"`, `s-maxage="7",=1, ext="a\"b"`}))
	want := map[string]string{"no-store": "", "max-age": "5", "private": "set-cookie, x-a", "s-maxage": "7", "ext": `a"b`}

	if !maps.Equal(got, want) {
		t.Errorf("%q", got)
	}

	for text, want := range map[string]time.Duration{"0": 0, "60": time.Minute, "99999999999999999999": (1 << 31) * time.Second} {
		if got, ok := httpfield.DeltaSeconds(text); !ok || got != want {
			t.Errorf("%q: %v, %t", text, got, ok)
		}
	}

	for _, text := range []string{"", "-1", "1.5", "x", " 1", "+1"} {
		if got, ok := httpfield.DeltaSeconds(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}
