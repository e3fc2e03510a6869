package jsonpb

import (
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner takes a document apart (RFC 8259). It stands on the first byte of the next token or at the end.
type scanner struct {
	data []byte
	pos  int
}

// space passes over white space.
func (s *scanner) space() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the byte that the next token begins with; 0 at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}

	return 0
}

// take passes over a byte if it is the next one, and over the space behind it.
func (s *scanner) take(c byte) bool {
	if s.pos >= len(s.data) || s.data[s.pos] != c {
		return false
	}

	s.pos++
	s.space()

	return true
}

// literal passes over true, false or null if it is next.
func (s *scanner) literal(word string) bool {
	end := s.pos + len(word)
	if end > len(s.data) || string(s.data[s.pos:end]) != word || end < len(s.data) && wordByte(s.data[end]) {
		return false
	}

	s.pos = end
	s.space()

	return true
}

// wordByte tells whether a byte would make another word or number of what stands before it.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == '_'
}

// text passes over a string and returns what it stands for: a part of the document or, if there are escapes, a copy.
func (s *scanner) text() ([]byte, *Error) {
	if s.peek() != '"' {
		return nil, s.wrong("a string")
	}

	start := s.pos + 1
	ascii := true

	for i := start; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			raw := s.data[start:i]
			if !ascii && !utf8.Valid(raw) {
				return nil, s.syntax("a string is not valid UTF-8")
			}

			s.pos = i + 1
			s.space()

			return raw, nil
		case c == '\\':
			return s.unescape(start, i)
		case c < ' ':
			s.pos = i

			return nil, s.syntax("a control character stands in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}

	return nil, s.ended()
}

// unescape reads a string that begins at start, with the first escape at i.
func (s *scanner) unescape(start, i int) ([]byte, *Error) {
	// As long as what is left, since no escape is shorter than what it stands for; but not longer than most strings are.
	const usual = 256

	out := make([]byte, i-start, min(len(s.data)-start, i-start+usual))
	copy(out, s.data[start:i])

	for i < len(s.data) {
		switch c := s.data[i]; {
		case c == '"':
			if !utf8.Valid(out) {
				return nil, s.syntax("a string is not valid UTF-8")
			}

			s.pos = i + 1
			s.space()

			return out, nil
		case c == '\\':
			r, n := escape(s.data[i:])
			if n == 0 {
				s.pos = i

				return nil, s.syntax("an escape in a string is not valid")
			}

			out = utf8.AppendRune(out, r)
			i += n
		case c < ' ':
			s.pos = i

			return nil, s.syntax("a control character stands in a string")
		default:
			out = append(out, c)
			i++
		}
	}

	return nil, s.ended()
}

// escape returns the character that a text begins with the escape of, and the length of the escape; 0 if it is none. A surrogate
// must be one of a pair.
func escape(text []byte) (rune, int) {
	const (
		short = 2
		long  = 6
	)

	if len(text) < short {
		return 0, 0
	}

	switch text[1] {
	case '"', '\\', '/':
		return rune(text[1]), short
	case 'b':
		return '\b', short
	case 'f':
		return '\f', short
	case 'n':
		return '\n', short
	case 'r':
		return '\r', short
	case 't':
		return '\t', short
	case 'u':
		r, ok := hexRune(text)
		if !ok || !utf16.IsSurrogate(r) {
			return r, map[bool]int{true: long}[ok]
		}

		low, ok := hexRune(text[long:])
		if pair := utf16.DecodeRune(r, low); ok && pair != unicode.ReplacementChar {
			return pair, long + long
		}
	}

	return 0, 0
}

// hexRune reads \uXXXX.
func hexRune(text []byte) (rune, bool) {
	const length = 6
	if len(text) < length || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}

	for _, c := range text[2:length] {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
			return 0, false
		}
	}

	r, err := strconv.ParseUint(string(text[2:length]), 16, 16)

	return rune(r), err == nil
}

// skip passes over any value. It may be nested this deep.
func (s *scanner) skip(depth int) *Error {
	switch c := s.peek(); c {
	case '{':
		return s.object(depth, func([]byte) *Error { return s.skip(depth - 1) })
	case '[':
		return s.array(depth, func(int) *Error { return s.skip(depth - 1) })
	case '"':
		_, err := s.text()

		return err
	default:
		if s.literal("true") || s.literal("false") || s.literal("null") || s.number() != nil {
			return nil
		}

		return s.missing("a value")
	}
}

// object reads an object; member reads the value of each member. Names may come twice.
func (s *scanner) object(depth int, member func(name []byte) *Error) *Error {
	if depth <= 0 {
		return s.tooDeep()
	}

	if !s.take('{') {
		return s.wrong("an object")
	}

	if s.take('}') {
		return nil
	}

	for {
		if s.peek() != '"' {
			return s.missing("a name")
		}

		name, err := s.text()
		if err != nil {
			return err
		}

		if !s.take(':') {
			return s.missing("a colon")
		}

		if err := member(name); err != nil {
			return err
		}

		if s.take('}') {
			return nil
		}

		if !s.take(',') {
			return s.missing("a comma or the end of the object")
		}
	}
}

// array reads an array; element reads each element.
func (s *scanner) array(depth int, element func(index int) *Error) *Error {
	if depth <= 0 {
		return s.tooDeep()
	}

	if !s.take('[') {
		return s.wrong("an array")
	}

	if s.take(']') {
		return nil
	}

	for i := 0; ; i++ {
		if err := element(i); err != nil {
			return err
		}

		if s.take(']') {
			return nil
		}

		if !s.take(',') {
			return s.missing("a comma or the end of the array")
		}
	}
}

func (s *scanner) tooDeep() *Error { return faultf("the document is nested too deep") }

// syntax tells that the document is no JSON.
func (s *scanner) syntax(reason string) *Error {
	return &Error{Reason: reason + " at byte " + strconv.Itoa(s.pos+1), Syntax: true}
}

func (s *scanner) ended() *Error { return &Error{Reason: "the document ends too early", Syntax: true} }

// missing tells that something that belongs here does not stand here.
func (s *scanner) missing(what string) *Error {
	if s.pos >= len(s.data) {
		return s.ended()
	}

	next, _ := utf8.DecodeRune(s.data[s.pos:])

	return s.syntax(what + " is missing before " + strconv.QuoteRune(next))
}

// wrong tells that another kind of value stands here than should, unless it is no value at all.
func (s *scanner) wrong(want string) *Error {
	value := *s
	if err := value.skip(len(s.data)); err != nil {
		return err
	}

	return faultf("is %s, not %s", kindOf(s.data[s.pos]), want)
}

// kindOf says what value begins with a byte.
func kindOf(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}
