package protojson

import "strings"

// maxNumber is how many characters a number may have that is converted. The exact decimal notation of a double has at most 1077.
const maxNumber = 1100

// tooLong is what is wrong with a longer one.
func tooLong(raw []byte) *Error {
	if len(raw) > maxNumber {
		return faultf("is a number of more than %d characters", maxNumber)
	}

	return nil
}

// number passes over a number and returns it as it is written; nil if there is none.
func (s *scanner) number() []byte {
	n := numberLength(s.data[s.pos:])
	if n == 0 {
		return nil
	}

	raw := s.data[s.pos : s.pos+n]
	s.pos += n
	s.space()

	return raw
}

// numberLength is how many bytes the number takes that a text begins with (RFC 8259, section 6); 0 if it begins with none.
func numberLength(text []byte) int {
	n := 0
	if n < len(text) && text[n] == '-' {
		n++
	}

	whole := digits(text[n:])
	if whole == 0 || whole > 1 && text[n] == '0' {
		return 0
	}

	n += whole

	n += partLength(text[n:], ".", "")
	n += partLength(text[n:], "eE", "+-")

	// A point or a letter that nothing follows is none of these.
	if n < len(text) && wordByte(text[n]) {
		return 0
	}

	return n
}

// partLength is how many bytes a part of a number takes that a text begins with: one of the bytes of lead, one of those of signs or
// none, and digits.
func partLength(text []byte, lead, signs string) int {
	if len(text) == 0 || strings.IndexByte(lead, text[0]) < 0 {
		return 0
	}

	n := 1
	if n < len(text) && strings.IndexByte(signs, text[n]) >= 0 {
		n++
	}

	if power := digits(text[n:]); power > 0 {
		return n + power
	}

	return 0
}

func digits(text []byte) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}

	return n
}
