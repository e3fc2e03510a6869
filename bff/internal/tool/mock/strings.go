package mock

import (
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// text is a string by its name that keeps the rules, if that is possible without luck.
func (m *maker) text(a about, r rules) string {
	if decided, ok := r.given(a.seed); ok {
		return decided.String()
	}

	for again := range draws {
		if again > 0 {
			a.seed = a.seed.at(again)
		}

		made := fit(m.candidate(a, r), a, r)
		if keeps(made, r) || again == draws-1 {
			return made
		}
	}

	return ""
}

// candidate has the right form, if not the right length.
func (m *maker) candidate(a about, r rules) string {
	if form, ok := wellKnownForm(a, r); ok {
		return form
	}

	pattern := r.text("pattern")
	made := m.named(a)

	if pattern == "" || matches(pattern, made) {
		return made
	}

	if short := words(a, "-"); matches(pattern, short) {
		return short
	}

	return matching(pattern, a)
}

// matching is a text that matches a pattern; if none is found, it is any text.
func matching(pattern string, a about) string {
	// What the generator makes of a pattern that is too much for it depends on more than the seed.
	if made := a.seed.faker().Regex(pattern); matches(pattern, made) {
		return made
	}

	return words(a, "-")
}

// named is what a field of that name has.
func (m *maker) named(a about) string {
	if stem, ok := strings.CutSuffix(a.name, "_id"); ok {
		return identifier(stem, a.seed)
	}

	if a.name == "id" && a.of != nil {
		return identifier(snake(a.of.Name()), a.seed)
	}

	if made, ok := bySuffix(m.texts, a.name); ok {
		return made(a)
	}

	at := m.today.Add(-a.seed.duration(year))

	switch {
	case endsIn(a.name, "time", "at"):
		return at.Format(time.RFC3339)
	case endsIn(a.name, "date", "day"):
		return at.Format(time.DateOnly)
	default:
		return words(a, " ")
	}
}

// wellKnownForm is of the rules that name a form.
func wellKnownForm(a about, r rules) (string, bool) {
	if r.message == nil {
		return "", false
	}

	which := r.message.WhichOneof(r.message.Descriptor().Oneofs().ByName("well_known"))
	if which == nil {
		return "", false
	}

	made, ok := forms()[which.Name()]
	if !ok || which.Kind() == protoreflect.BoolKind && !r.message.Get(which).Bool() {
		return "", false
	}

	return made(a), true
}

func forms() map[protoreflect.Name]func(a about) string {
	web := webTexts()
	// 2001:db8::/32 is for documentation (RFC 3849).
	six := func(a about) string { return "2001:db8::" + web["hash"](a)[:4] }

	return map[protoreflect.Name]func(a about) string{
		emailWord:             func(a about) string { return a.person.address() },
		"hostname":            web["host"],
		"address":             web["host"],
		"ip":                  documentationAddress,
		"ipv4":                documentationAddress,
		"ipv6":                six,
		"uri":                 web["url"],
		"uri_ref":             web["path"],
		uuidWord:              web[uuidWord],
		"tuuid":               func(a about) string { return strings.ReplaceAll(web[uuidWord](a), "-", "") },
		"ip_with_prefixlen":   func(a about) string { return documentationAddress(a) + "/24" },
		"ipv4_with_prefixlen": func(a about) string { return documentationAddress(a) + "/24" },
		"ipv6_with_prefixlen": func(a about) string { return six(a) + "/64" },
		"ip_prefix":           func(about) string { return "203.0.113.0/24" },
		"ipv4_prefix":         func(about) string { return "203.0.113.0/24" },
		"ipv6_prefix":         func(about) string { return "2001:db8::/32" },
		"host_and_port":       func(a about) string { return web["host"](a) + ":8443" },
		"ulid":                func(a about) string { return a.seed.faker().Regex("^[0-7][0-9A-HJKMNP-TV-Z]{25}$") },
		"protobuf_fqn":        func(a about) string { return words(a, ".") },
		"protobuf_dot_fqn":    func(a about) string { return "." + words(a, ".") },
		"well_known_regex":    func(a about) string { return "x-" + words(a, "-") },
	}
}

// fit gives a text the ends and the length that the rules want.
func fit(text string, a about, r rules) string {
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

	for n := 0; utf8.RuneCountInString(text)+ends < least; n++ {
		text += stretch(a.seed.at(n), text)
	}

	if runes := []rune(text); len(runes)+ends > most {
		text = strings.TrimRight(string(runes[:max(most-ends, 0)]), " ")
		for n := 0; utf8.RuneCountInString(text)+ends < least; n++ {
			text += "a"
		}
	}

	for bytes := r.size("max_bytes", r.size("len_bytes", maxSize)); len(text) > 0 && len(prefix+text+suffix) > bytes; {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}

	return prefix + text + suffix
}

// stretch is more of a text: words after words, letters after letters.
func stretch(s seed, text string) string {
	word := strings.ToLower(letters(s.faker().NounConcrete()))
	if strings.Contains(text, " ") {
		return " " + word
	}

	return word
}

// keeps tells whether the text keeps the rules that fit may have broken.
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
