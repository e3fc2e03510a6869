package openapi

import (
	"regexp"
	"strings"
)

// ecmaPattern is a pattern of RE2, which rules have, as one of ECMA-262 with the flag "u", which JSON Schema has
// (https://json-schema.org/draft/2020-12/json-schema-core#name-regular-expressions). It reports whether there is one: RE2 has
// flags, named groups and classes that ECMA-262 does not have, or understands otherwise.
func ecmaPattern(pattern string) (string, bool) {
	if _, err := regexp.Compile(pattern); err != nil {
		return "", false
	}

	p := ecma{rest: pattern}
	for p.rest != "" {
		if !p.next() {
			return "", false
		}
	}

	return p.out.String(), true
}

// ecma translates a pattern that RE2 accepts.
type ecma struct {
	out  strings.Builder
	rest string
	// fixed reports whether the last part was an assertion, which cannot be repeated.
	fixed bool
}

// replace writes a text for the first bytes of the rest.
func (p *ecma) replace(length int, text string) bool {
	p.out.WriteString(text)
	p.rest = p.rest[length:]

	return true
}

var (
	counted     = regexp.MustCompile(`^\{[0-9]+(,[0-9]*)?\}`)
	hexEscape   = regexp.MustCompile(`^\\x[0-9A-Fa-f]{2}`)
	classEscape = regexp.MustCompile(`^\\[dDsSwW]`)
)

func (p *ecma) next() bool {
	fixed := p.fixed
	p.fixed = false

	switch p.rest[0] {
	case '\\':
		p.fixed = strings.HasPrefix(p.rest, `\b`) || strings.HasPrefix(p.rest, `\B`)

		return p.escape(false)
	case '[':
		return p.class()
	case '^', '$':
		p.fixed = true
	case '*', '+', '?':
		if fixed {
			return false
		}
	case '(':
		return p.group()
	case '{':
		if count := counted.FindString(p.rest); count != "" {
			return !fixed && p.replace(len(count), count)
		}

		return p.replace(1, `\{`)
	case '}', ']':
		return p.replace(1, `\`+p.rest[:1])
	}

	return p.replace(1, p.rest[:1])
}

// group translates the beginning of a group.
func (p *ecma) group() bool {
	const plain = "(?:"

	switch {
	case strings.HasPrefix(p.rest, plain):
		return p.replace(len(plain), plain)
	case strings.HasPrefix(p.rest, "(?"):
		return false
	default:
		return p.replace(1, "(")
	}
}

// escape translates what begins with a backslash.
func (p *ecma) escape(inClass bool) bool {
	if hex := hexEscape.FindString(p.rest); hex != "" {
		return p.replace(len(hex), hex)
	}

	switch c := p.rest[1]; {
	case strings.IndexByte("dDsSwWnrtfv", c) >= 0, strings.IndexByte(`^$\.*+?()[]{}|/`, c) >= 0,
		inClass && c == '-', !inClass && (c == 'b' || c == 'B'):
		return p.replace(2, p.rest[:2])
	case c == 'A':
		return p.replace(2, "^")
	case c == 'z':
		return p.replace(2, "$")
	case '0' <= c && c <= '9', 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z':
		return false
	default:
		// Elsewhere the backslash means nothing, and must not be there.
		return p.replace(2, p.rest[1:2])
	}
}

// class translates a class of characters.
func (p *ecma) class() bool {
	p.replace(1, "[")

	if strings.HasPrefix(p.rest, "^") {
		p.replace(1, "^")
	}

	for first := true; first || p.rest[0] != ']'; first = false {
		switch {
		case strings.HasPrefix(p.rest, "[:"):
			return false
		case p.rest[0] == ']':
			p.replace(1, `\]`)
		case classEscape.MatchString(p.rest):
			p.replace(2, p.rest[:2])

			// It begins no range.
			if strings.HasPrefix(p.rest, "-") && !strings.HasPrefix(p.rest, "-]") {
				p.replace(1, `\-`)
			}
		case p.rest[0] == '\\':
			if !p.escape(true) {
				return false
			}
		default:
			p.replace(1, p.rest[:1])
		}
	}

	return p.replace(1, "]")
}
