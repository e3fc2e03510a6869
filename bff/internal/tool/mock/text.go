package mock

import (
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// text is a string that keeps the rules, if that is possible without luck.
func text(v value, r rules) string {
	for again := range draws {
		if again > 0 {
			v.seed = v.seed.at(again)
		}

		made := fit(candidate(v, r), v.seed, r)
		if keeps(made, r) || again == draws-1 {
			return made
		}
	}

	return ""
}

// candidate has the right form, if not the right length.
func candidate(v value, r rules) string {
	if form, ok := wellKnownForm(v, r); ok {
		return form
	}

	made := plain(v)
	if pattern := r.text("pattern"); pattern != "" && !matches(pattern, made) {
		return matching(pattern, v)
	}

	return made
}

// plain is an identifier, or the name of the field with a number: "note 42".
func plain(v value) string {
	if stem, ok := strings.CutSuffix(v.name, "_id"); ok {
		return identifier(stem, v.seed)
	}

	if v.name == "id" && v.of != nil {
		return identifier(snake(v.of.Name()), v.seed)
	}

	return fmt.Sprintf("%s %d", strings.ReplaceAll(v.name, "_", " "), v.seed.rand().IntN(1000))
}

// matching is a text that matches a pattern. If none is found, it is any text.
func matching(pattern string, v value) string {
	// What the generator makes of a pattern that is too much for it depends on more than the seed.
	if made := v.seed.faker().Regex(pattern); matches(pattern, made) {
		return made
	}

	return plain(v)
}

// wellKnownForm is of the rules that name a form.
func wellKnownForm(v value, r rules) (string, bool) {
	if r.message == nil {
		return "", false
	}

	which := r.message.WhichOneof(r.message.Descriptor().Oneofs().ByName("well_known"))
	if which == nil || which.Kind() == protoreflect.BoolKind && !r.message.Get(which).Bool() {
		return "", false
	}

	return form(which.Name(), v.seed)
}

// form is a text of a form of buf.validate. Domains and addresses are those for documentation (RFC 2606, RFC 3849, RFC 5737).
func form(name protoreflect.Name, s seed) (string, bool) {
	word := fmt.Sprintf("n%d", s.rand().IntN(1_000_000))
	ipv4, ipv6 := fmt.Sprintf("203.0.113.%d", s.rand().IntN(254)+1), fmt.Sprintf("2001:db8::%04x", s.rand().IntN(1<<16))
	uuid := s.faker().UUID()

	made, ok := map[protoreflect.Name]string{
		"address":             word + ".example.com",
		"email":               word + "@example.com",
		"host_and_port":       word + ".example.com:8443",
		"hostname":            word + ".example.com",
		"ip":                  ipv4,
		"ip_prefix":           "203.0.113.0/24",
		"ip_with_prefixlen":   ipv4 + "/24",
		"ipv4":                ipv4,
		"ipv4_prefix":         "203.0.113.0/24",
		"ipv4_with_prefixlen": ipv4 + "/24",
		"ipv6":                ipv6,
		"ipv6_prefix":         "2001:db8::/32",
		"ipv6_with_prefixlen": ipv6 + "/64",
		"protobuf_dot_fqn":    ".example." + word,
		"protobuf_fqn":        "example." + word,
		"tuuid":               strings.ReplaceAll(uuid, "-", ""),
		"ulid":                s.faker().Regex("^[0-7][0-9A-HJKMNP-TV-Z]{25}$"),
		"uri":                 "https://example.com/" + word,
		"uri_ref":             "/" + word,
		"uuid":                uuid,
		"well_known_regex":    "x-" + word,
	}[name]

	return made, ok
}

// fit gives a text the ends and the length that the rules want.
func fit(text string, s seed, r rules) string {
	if part := r.text("contains"); !strings.Contains(text, part) {
		text += part
	}

	prefix, suffix := r.text("prefix"), r.text("suffix")
	if strings.HasPrefix(text, prefix) && strings.HasSuffix(text, suffix) {
		prefix, suffix = "", ""
	}

	ends := utf8.RuneCountInString(prefix + suffix)
	least, most := r.size("min_len", 0), r.size("max_len", maxSize)
	least, most = max(least, r.size("min_bytes", 0)), min(most, r.size("max_bytes", maxSize))

	for _, exact := range []protoreflect.Name{"len", "len_bytes"} {
		if n := r.size(exact, -1); n >= 0 {
			least, most = n, n
		}
	}

	for random := s.of("longer").rand(); utf8.RuneCountInString(text)+ends < least; {
		text += string(rune('a' + random.IntN(26)))
	}

	if runes := []rune(text); len(runes)+ends > most {
		text = string(runes[:max(most-ends, 0)])
	}

	for bytes := r.size("max_bytes", r.size("len_bytes", maxSize)); len(text) > 0 && len(prefix+text+suffix) > bytes; {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}

	return prefix + text + suffix
}

// keeps reports whether the text keeps the rules that fit may have broken.
func keeps(text string, r rules) bool {
	if pattern := r.text("pattern"); pattern != "" && !matches(pattern, text) {
		return false
	}

	if part := r.text("not_contains"); part != "" && strings.Contains(text, part) {
		return false
	}

	return strings.Contains(text, r.text("contains")) && len(text) <= r.size("max_bytes", maxSize) &&
		len(text) == r.size("len_bytes", len(text)) && !r.refuses(protoreflect.ValueOfString(text))
}

// matches is false for what is no pattern at all; the validator will say so.
func matches(pattern, text string) bool {
	compiled, err := regexp.Compile(pattern)

	return err == nil && compiled.MatchString(text)
}

// identifier is like "ord_4c1vq0k8m2t7d9sa": three letters of what it names, and what nobody guesses.
func identifier(of string, s seed) string {
	// Ten bytes make sixteen characters.
	random, raw := s.rand(), make([]byte, 10)
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}

	return abbreviation(of) + "_" + strings.ToLower(base32.HexEncoding.EncodeToString(raw))
}

// abbreviation leaves out the vowels: "user" is "usr", "order" is "ord".
func abbreviation(of string) string {
	const length = 3

	short := ""

	for i, r := range of {
		if r != '_' && (i == 0 || len(of) <= length || !strings.ContainsRune("aeiou", r)) && len(short) < length {
			short += string(r)
		}
	}

	return short
}

// snake is the name of a message as that of a field: "LineItem" is "line_item".
func snake(name protoreflect.Name) string {
	var b strings.Builder

	for i, r := range string(name) {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}

		b.WriteRune(unicode.ToLower(r))
	}

	return b.String()
}

func endsIn(name string, words ...string) bool {
	for _, word := range words {
		if name == word || strings.HasSuffix(name, "_"+word) {
			return true
		}
	}

	return false
}
