package conformance

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
)

// toFloat is a number of a schema, which was read as json.Number.
func toFloat(number any) float64 {
	value, _ := new(big.Float).SetString(fmt.Sprint(number))
	if value == nil {
		return 0
	}

	out, _ := value.Float64()

	return out
}

// numbers are those in the middle and at the limits, and other ways to write them.
func numbers(s map[string]any, integer bool) []any {
	out := literals("1", "0", "-1", "1.0", "10e-1", "1E2")
	step := 1.0

	if !integer {
		out = append(out, literals("1.5", "-0.0", "1e-7")...)
		step = 0.5
	}

	add := func(values ...float64) {
		for _, value := range values {
			out = append(out, json.Number(big.NewFloat(value).Text('f', -1)))
		}
	}

	switch s["format"] {
	case "int32":
		add(math.MinInt32, math.MaxInt32)
	case "float":
		out = append(out, literals("3.4e38", "-3.4e38", "1e-45")...)
	case "double":
		out = append(out, literals("1.7e308", "5e-324")...)
	}

	for _, limit := range []struct {
		name   string
		inward float64
	}{{"minimum", 0}, {"maximum", 0}, {"exclusiveMinimum", step}, {"exclusiveMaximum", -step}} {
		if bound, ok := s[limit.name]; ok {
			add(toFloat(bound) + limit.inward)
		}
	}

	// The usual one comes first, and must be one that is allowed.
	slices.SortStableFunc(out, func(a, b any) int { return boolRank(outside(s, a)) - boolRank(outside(s, b)) })

	return out
}

// literals are numbers as they are written.
func literals(texts ...string) []any {
	out := make([]any, 0, len(texts))
	for _, text := range texts {
		out = append(out, json.Number(text))
	}

	return out
}

func boolRank(b bool) int {
	if b {
		return 1
	}

	return 0
}

// outside reports whether a number is beyond the bounds.
func outside(s map[string]any, number any) bool {
	value := toFloat(number)

	for name, beyond := range map[string]func(bound float64) bool{
		"minimum":          func(bound float64) bool { return value < bound },
		"exclusiveMinimum": func(bound float64) bool { return value <= bound },
		"maximum":          func(bound float64) bool { return value > bound },
		"exclusiveMaximum": func(bound float64) bool { return value >= bound },
	} {
		if bound, ok := s[name]; ok && beyond(toFloat(bound)) {
			return true
		}
	}

	return false
}

// formatted are values of a format, the usual one first.
var formatted = map[string][]string{
	"date-time": {
		"2020-01-02T03:04:05Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2020-02-29T12:00:00.5-08:00",
		"1970-01-01T00:00:00+14:00", "2020-01-02t03:04:05z", "2016-12-31T23:59:60Z", "0000-01-01T00:00:00Z",
		"2020-01-02T03:04:05.1234567890123Z", "0001-01-01T00:00:00+01:00",
	},
	"uuid": {
		"123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000", "123E4567-E89B-12D3-A456-426614174000",
	},
	"email":         {"a@example.com", "a+b@x.example", "a.b-c_d@sub.x.example", "o'neil@example.com"},
	"hostname":      {"example.com", "a", "xn--bcher-kva.example", "A-1.example"},
	"ipv4":          {"192.0.2.1", "0.0.0.0", "255.255.255.255"},
	"ipv6":          {"2001:db8::1", "::", "::ffff:192.0.2.1", "2001:DB8:0:0:0:0:0:1"},
	"uri":           {"https://example.com/a?b=c#d", "mailto:a@example.com", "urn:x:y"},
	"uri-reference": {"/a", "", "https://example.com/", "?x=1", "#f"},
	"int64":         {"1", "0", "-1", "9223372036854775807", "-9223372036854775808", "007", "-0"},
	"uint64":        {"1", "0", "18446744073709551615", "007"},
}

// texts are strings of a schema.
func texts(s map[string]any) []any {
	var out []string

	format, _ := s["format"].(string)
	pattern, _ := s["pattern"].(string)

	switch {
	case formatted[format] != nil:
		out = formatted[format]
	case s["contentEncoding"] == "base64":
		out = []string{"AQI=", "", "AQID", "+/8=", "AAAA"}
	default:
		out = []string{
			"a", "", "ü€😀", " a b ", "a/b", "a\\b", "%41", "\x00", "\u2028", ".", "..", "a\nb", `"`, "+", "true", "1", "*",
		}
		if pattern != "" {
			out = slices.Concat(matching(pattern), out)
		}
	}

	return anyTexts(lengthened(s, out))
}

// lengthened has the texts of the least and of the greatest length besides, and those that are too short only at that length.
func lengthened(s map[string]any, texts []string) []string {
	least, most := count(s, "minLength", 0), count(s, "maxLength", -1)
	if least == 0 && most < 0 {
		return texts
	}

	fits := func(text string) bool { n := len([]rune(text)); return n >= least && (most < 0 || n <= most) }

	out := slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return !fits(text) })

	if s["pattern"] != nil || s["format"] != nil {
		return append(out, slices.DeleteFunc(stretched(s, least, most), func(text string) bool { return !fits(text) })...)
	}

	for _, n := range []int{least, most} {
		if n > 0 {
			out = append(out, strings.Repeat("a", n), strings.Repeat("😀", n))
		}
	}

	return out
}

// stretched are texts that match a pattern and are as short and as long as they may be.
func stretched(s map[string]any, least, most int) []string {
	pattern, _ := s["pattern"].(string)
	if pattern == "" {
		return nil
	}

	var out []string

	for _, n := range []int{least, most} {
		if n > 0 {
			out = append(out, matchingOfLength(pattern, n)...)
		}
	}

	return out
}

func anyTexts(texts []string) []any {
	out := make([]any, 0, len(texts))
	for _, text := range texts {
		out = append(out, text)
	}

	return out
}
