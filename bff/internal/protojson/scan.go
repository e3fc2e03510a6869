package protojson

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner takes a document apart (RFC 8259). It is at the first byte of the next token or at the end.
type scanner struct {
	data []byte
	pos  int
	// depth is how deep what comes may be nested.
	depth int
	// unescaped has the contents of strings with escapes, one after the other.
	unescaped []byte
	// typed is called with the places where an object begins and where the value of its member "@type" does, for objects that are
	// skipped. Nil: nothing is called.
	typed func(object, value int) *Error
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

// skipTo passes over what ends before this byte, and the space behind it.
func (s *scanner) skipTo(pos int) {
	s.pos = pos
	if pos < len(s.data) && s.data[pos] <= ' ' {
		s.space()
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

	s.skipTo(s.pos + 1)

	return true
}

// follows passes over a text if it is next, and over the space behind it.
func (s *scanner) follows(text string) bool {
	end := s.pos + len(text)
	if end > len(s.data) || string(s.data[s.pos:end]) != text {
		return false
	}

	s.skipTo(end)

	return true
}

// literal passes over true, false or null if it is next.
func (s *scanner) literal(word string) bool {
	if end := s.pos + len(word); end < len(s.data) && wordByte(s.data[end]) {
		return false
	}

	return s.follows(word)
}

// wordByte reports whether a byte would make another word or number of what is before it.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == '_'
}

// text passes over a string and returns its content: a part of the document or, if there are escapes, a copy.
func (s *scanner) text() ([]byte, *Error) {
	if s.peek() != '"' {
		return nil, s.wrong("a string")
	}

	ascii := true
	// What is before start is unescaped already, from begin on.
	start, begin := s.pos+1, len(s.unescaped)
	for i := start + plainLength(s.data[start:]); i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			text := s.data[start:i]
			if len(s.unescaped) > begin {
				s.unescaped = append(s.unescaped, text...)
				text = s.unescaped[begin:len(s.unescaped):len(s.unescaped)]
			}

			if !ascii && !utf8.Valid(text) {
				return nil, s.syntax("a string is not valid UTF-8")
			}

			s.skipTo(i + 1)

			return text, nil
		case c == '\\':
			r, n := escape(s.data[i:])
			if n == 0 {
				s.pos = i
				return nil, s.syntax("an escape in a string is not valid")
			}

			s.unescaped = utf8.AppendRune(append(s.unescaped, s.data[start:i]...), r)
			i += n - 1
			start = i + 1
		case c < ' ':
			s.pos = i
			return nil, s.syntax("a control character stands in a string")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}

	return nil, s.ended()
}

// plainLength is how many bytes at the beginning of a text, eight at a time, need no closer look in a string.
func plainLength(text []byte) int {
	const (
		word  = 8
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)

	n := 0
	for ; n+word <= len(text); n += word {
		// A byte has its highest bit set if it is one of these or above ASCII; that one too many may have does not matter.
		x := binary.LittleEndian.Uint64(text[n:])
		quote, backslash := x^'"'*ones, x^'\\'*ones
		if (x|(x-' '*ones)|(quote-ones)|(backslash-ones))&highs != 0 {
			break
		}
	}

	return n
}

// escape returns the character that a text begins with the escape of, and the length of the escape; 0 if it is none. A surrogate
// must be one of a pair.
func escape(text []byte) (rune, int) {
	if len(text) < 2 {
		return 0, 0
	}

	if i := strings.IndexByte(escapes, text[1]); i >= 0 {
		return rune(escaped[i]), 2
	}

	const length = len(`\uXXXX`)

	r, ok := hexRune(text)
	if ok && !utf16.IsSurrogate(r) {
		return r, length
	}

	if ok {
		low, _ := hexRune(text[length:])
		if pair := utf16.DecodeRune(r, low); pair != unicode.ReplacementChar {
			return pair, 2 * length
		}
	}

	return 0, 0
}

// The characters that have a short escape, and the letters of these.
const (
	escaped = "\"\\/\b\f\n\r\t"
	escapes = `"\/bfnrt`
)

// hexRune reads \uXXXX.
func hexRune(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}

	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)

	return rune(r), err == nil
}

// skip passes over any value.
func (s *scanner) skip() *Error {
	switch s.peek() {
	case '{':
		return s.skipAll('{', '}')
	case '[':
		return s.skipAll('[', ']')
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

// skipAll passes over an object or an array. Names may come twice.
func (s *scanner) skipAll(begin, end byte) *Error {
	start := s.pos
	more, err := s.enter(begin)
	for more && err == nil {
		if end == '}' {
			var name []byte
			if name, err = s.name(); err == nil && s.typed != nil && string(name) == typeMember {
				err = s.typed(start, s.pos)
			}
		}

		if err == nil {
			err = s.skip()
		}

		if err == nil {
			more, err = s.more(end)
		}
	}

	return err
}

// enter passes over the brace or bracket that an object or array begins with. It reports whether something is in it; if not, it is
// passed over as a whole.
func (s *scanner) enter(begin byte) (bool, *Error) {
	if s.depth <= 0 {
		return false, faultf("the document is nested too deep")
	}

	end, kind := byte('}'), "an object"
	if begin == '[' {
		end, kind = ']', "an array"
	}

	if !s.take(begin) {
		return false, s.wrong(kind)
	}

	if s.take(end) {
		return false, nil
	}

	s.depth--

	return true, nil
}

// name passes over the name of a member and the colon.
func (s *scanner) name() ([]byte, *Error) {
	if s.peek() != '"' {
		return nil, s.missing("a name")
	}

	name, err := s.text()
	if err == nil && !s.take(':') {
		err = s.missing("a colon")
	}

	return name, err
}

// more passes over what is behind a member or an element, and reports whether another one follows.
func (s *scanner) more(end byte) (bool, *Error) {
	switch {
	case s.take(','):
		return true, nil
	case s.take(end):
		s.depth++
		return false, nil
	case end == '}':
		return false, s.missing("a comma or the end of the object")
	default:
		return false, s.missing("a comma or the end of the array")
	}
}

// syntax is the error of a document that is not JSON.
func (s *scanner) syntax(reason string) *Error {
	return &Error{Reason: reason + " at byte " + strconv.Itoa(s.pos+1), Syntax: true}
}

func (s *scanner) ended() *Error { return &Error{Reason: "the document ends too early", Syntax: true} }

// missing is the error if something is not here that belongs here.
func (s *scanner) missing(what string) *Error {
	if s.pos >= len(s.data) {
		return s.ended()
	}

	next, _ := utf8.DecodeRune(s.data[s.pos:])

	return s.syntax(what + " is missing before " + strconv.QuoteRune(next))
}

// wrong is the error if another kind of value is here than should be, unless it is no value at all.
func (s *scanner) wrong(want string) *Error {
	value := scanner{data: s.data, pos: s.pos, depth: max(s.depth, 1)}
	if err := value.skip(); err != nil {
		return err
	}

	return faultf("is %s, not %s", jsonType(s.data[s.pos]), want)
}

// jsonType says what value begins with a byte.
func jsonType(c byte) string {
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
