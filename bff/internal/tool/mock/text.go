package mock

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// text is the name of a field with a number, "order-id-7", as long as the rules want it, or a text of the pattern or the form that
// they want.
func text(name string, r rules, n int) string {
	if r.message != nil {
		form := r.message.WhichOneof(r.message.Descriptor().Oneofs().ByName("well_known"))
		if form != nil && (form.Kind() != protoreflect.BoolKind || r.message.Get(form).Bool()) {
			return formed(form.Name(), n)
		}
	}

	least, most := r.size("min_len", r.size("min_bytes", 0)), min(r.size("max_len", maxSize), r.size("max_bytes", maxSize))
	if exact := r.size("len", r.size("len_bytes", -1)); exact >= 0 {
		least, most = exact, exact
	}

	plain := fit(strings.ReplaceAll(name, "_", "-"), r, n, least, most)

	pattern := r.text("pattern")
	if matches, err := regexp.MatchString(pattern, plain); matches || err != nil {
		return plain
	}

	return matching(pattern, n, least)
}

// fit puts a text and a number between what the rules want at the beginning and at the end.
func fit(stem string, r rules, n, least, most int) string {
	prefix, suffix := r.text("prefix"), r.text("contains")+r.text("suffix")
	room := most - utf8.RuneCountInString(prefix+suffix)
	tail := fmt.Sprintf("-%d", n+1)
	tail = tail[max(0, len(tail)-max(0, room)):]
	stem = stem[:min(len(stem), max(0, room-len(tail)))]

	if short := least - utf8.RuneCountInString(prefix+stem+tail+suffix); short > 0 {
		stem += strings.Repeat("x", short)
	}

	return prefix + stem + tail + suffix
}

// formed is a text of a form of buf.validate, or "" if the form is unknown. Domains and addresses are those for documentation
// (RFC 2606, RFC 3849, RFC 5737).
func formed(form protoreflect.Name, n int) string {
	const (
		domain, fqn   = "n#.example.com", "example.n#"
		ipv4, ipv6    = "203.0.113.#", "2001:db8::#"
		prefix4, uuid = "203.0.113.0/24", "00000000-0000-4000-8000-000000000#"
	)

	format := map[protoreflect.Name]string{
		"address": domain, "hostname": domain, "host_and_port": domain + ":8443", "email": "n#@example.com",
		"ip": ipv4, "ip_with_prefixlen": ipv4 + "/24", "ip_prefix": prefix4,
		"ipv4": ipv4, "ipv4_with_prefixlen": ipv4 + "/24", "ipv4_prefix": prefix4,
		"ipv6": ipv6, "ipv6_with_prefixlen": ipv6 + "/64", "ipv6_prefix": "2001:db8::/32",
		"protobuf_fqn": fqn, "protobuf_dot_fqn": "." + fqn, "well_known_regex": "x-#",
		"uuid": uuid, "tuuid": strings.ReplaceAll(uuid, "-", ""), "ulid": strings.Repeat("0", 23) + "#",
		"uri": "https://example.com/#", "uri_ref": "/#",
	}[form]

	// All numbers have three digits, and are bytes of an address.
	return strings.ReplaceAll(format, "#", strconv.Itoa(100+n%100))
}

// bytes are those of a text, or of an address or a UUID.
func bytes(name string, r rules, n int) []byte {
	for form, size := range map[protoreflect.Name]int{"ip": 4, "ipv4": 4, "ipv6": 16, "uuid": 16} {
		if wanted, ok := r.get(form); ok && wanted.Bool() {
			return append(make([]byte, size-1), byte(n+1))
		}
	}

	return []byte(text(name, r, n))
}

// matching is a text that matches a regular expression. What may be repeated is repeated once, and more often only if the text
// must be longer.
func matching(pattern string, n, least int) string {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}

	text, size := written(parsed, n, 1)
	if size >= least {
		return text
	}

	// Every further repetition adds as much as the second.
	more, longer := written(parsed, n, 2)
	if longer <= size || longer >= least {
		return more
	}

	step := longer - size
	text, _ = written(parsed, n, 1+(least-size+step-1)/step)

	return text
}

// written is the text of a pattern with so many repetitions, and its length in characters.
func written(pattern *syntax.Regexp, n, repeats int) (text string, size int) {
	w := patternWriter{n: n, repeats: repeats}
	w.write(pattern)

	return w.text.String(), utf8.RuneCountInString(w.text.String())
}

// patternWriter writes a text that matches. The number decides which one, digit by digit: each choice takes one.
type patternWriter struct {
	text       strings.Builder
	n, repeats int
}

func (w *patternWriter) pick(of int) int {
	digit := w.n % of
	w.n /= of

	return digit
}

func (w *patternWriter) write(re *syntax.Regexp) {
	times := 1

	switch re.Op {
	case syntax.OpLiteral:
		w.text.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		from := usual(re.Rune)
		w.text.WriteString(string(from[w.pick(len(from))]))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		w.text.WriteString(string(rune('a' + w.pick(26))))
	case syntax.OpAlternate:
		w.write(re.Sub[w.pick(len(re.Sub))])

		return
	case syntax.OpStar, syntax.OpPlus:
		times = w.repeats
	case syntax.OpRepeat:
		times = max(re.Min, w.repeats)
		if re.Max >= 0 {
			times = min(times, re.Max)
		}
	default:
		// A group or a sequence; what has no text, such as the beginning, has no parts either.
	}

	for range times {
		for _, sub := range re.Sub {
			w.write(sub)
		}
	}
}

// usual are the letters and digits of a class, or else one character of it.
func usual(class []rune) []rune {
	const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

	in := func(r rune) bool {
		for i := 0; i < len(class); i += 2 {
			if class[i] <= r && r <= class[i+1] {
				return true
			}
		}

		return false
	}

	found := slices.DeleteFunc([]rune(characters), func(r rune) bool { return !in(r) })
	if len(found) == 0 {
		found = []rune{max(class[0], min('!', class[1]))}
	}

	return found
}
