package protojson

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads the tokens of a document (RFC 8259). It is at the first byte of the next token or at the end.
type scanner struct {
	data []byte
	pos  int
	// depth is how many more levels may be nested.
	depth int
	// unescaped has the contents of strings with escapes.
	unescaped []byte
	// typed is called for each member "@type" that is skipped, with the places of the object and of the member's value. May be nil.
	typed func(object, value int) *Error
}

// space skips white space.
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

// skipTo skips what ends before this byte, and the space after it.
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

// accept skips a byte if it is the next one, and the space after it.
func (s *scanner) accept(c byte) bool {
	if s.pos >= len(s.data) || s.data[s.pos] != c {
		return false
	}

	s.skipTo(s.pos + 1)

	return true
}

// follows skips a text if it is next, and the space after it.
func (s *scanner) follows(text string) bool {
	end := s.pos + len(text)
	if end > len(s.data) || string(s.data[s.pos:end]) != text {
		return false
	}

	s.skipTo(end)

	return true
}

// literal skips true, false or null if it is next.
func (s *scanner) literal(word string) bool {
	if end := s.pos + len(word); end < len(s.data) && wordByte(s.data[end]) {
		return false
	}

	return s.follows(word)
}

// wordByte reports whether a byte would belong to the word or number before it.
func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == '_'
}

// text reads a string and returns its content: a part of the document or, if there are escapes, a copy.
func (s *scanner) text() ([]byte, *Error) {
	if s.peek() != '"' {
		return nil, s.wrong("a string")
	}

	ascii := true
	// The content before start is in unescaped, from begin on.
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
			return nil, s.syntax("a string contains a control character")
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}

	return nil, s.ended()
}

// plainLength returns how many bytes at the beginning of a text, in words of eight, are neither special in a string nor above
// ASCII.
func plainLength(text []byte) int {
	const (
		word  = 8
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)

	n := 0
	for ; n+word <= len(text); n += word {
		// The highest bit of a byte is set if it is special. That it may be set for others, too, does not matter.
		x := binary.LittleEndian.Uint64(text[n:])
		quote, backslash := x^'"'*ones, x^'\\'*ones
		if (x|(x-' '*ones)|(quote-ones)|(backslash-ones))&highs != 0 {
			break
		}
	}

	return n
}

// escape reads the escape that a text begins with, and returns its length; 0 if it is not valid. A surrogate must be one of a pair.
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

// The characters that have a short escape, and their letters.
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

// skip skips any value.
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
		if s.literal("true") || s.literal("false") || s.literal("null") {
			return nil
		}

		n := numberLength(s.data[s.pos:])
		if n == 0 {
			return s.missing("a value")
		}

		s.skipTo(s.pos + n)

		return nil
	}
}

// skipAll skips an object or an array. Names may be repeated.
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

// enter reads the beginning of an object or array, and reports whether there is something in it. If not, it reads the end as well.
func (s *scanner) enter(begin byte) (bool, *Error) {
	if s.depth <= 0 {
		return false, faultf("the document is nested too deep")
	}

	end, kind := byte('}'), "an object"
	if begin == '[' {
		end, kind = ']', "an array"
	}

	if !s.accept(begin) {
		return false, s.wrong(kind)
	}

	if s.accept(end) {
		return false, nil
	}

	s.depth--

	return true, nil
}

// name reads the name of a member and the colon.
func (s *scanner) name() ([]byte, *Error) {
	if s.peek() != '"' {
		return nil, s.missing("a name")
	}

	name, err := s.text()
	if err == nil && !s.accept(':') {
		err = s.missing("a colon")
	}

	return name, err
}

// more reads what follows a member or an element, and reports whether there is another one.
func (s *scanner) more(end byte) (bool, *Error) {
	switch {
	case s.accept(','):
		return true, nil
	case s.accept(end):
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

// missing is the error if something is expected here and something else is found.
func (s *scanner) missing(what string) *Error {
	if s.pos >= len(s.data) {
		return s.ended()
	}

	next, _ := utf8.DecodeRune(s.data[s.pos:])

	return s.syntax(what + " is missing before " + strconv.QuoteRune(next))
}

// wrong is the error of a value of another kind than is wanted, or of what is no value at all.
func (s *scanner) wrong(want string) *Error {
	value := scanner{data: s.data, pos: s.pos, depth: max(s.depth, 1)}
	if err := value.skip(); err != nil {
		return err
	}

	return faultf("is %s, not %s", jsonType(s.data[s.pos]), want)
}

// jsonType names the type of the value that begins with a byte.
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
