package protojson

import "strings"

// maxNumber is the largest length of a number. The exact decimal notation of a double has at most 1077 characters.
const maxNumber = 1100

func tooLong(raw []byte) *Error {
	if len(raw) > maxNumber {
		return faultf("is a number of more than %d characters", maxNumber)
	}

	return nil
}

// number reads a number and returns it as it is written. Any other value is not what is wanted.
func (d *decoder) number(want string) ([]byte, *Error) {
	n := numberLength(d.data[d.pos:])
	if n == 0 {
		return nil, d.wrong(want)
	}

	raw := d.data[d.pos : d.pos+n]
	d.skipTo(d.pos + n)

	return raw, tooLong(raw)
}

// numberLength returns the length of the number that a text begins with (RFC 8259, section 6); 0 if there is none.
func numberLength(text []byte) int {
	n := 0
	if n < len(text) && text[n] == '-' {
		n++
	}

	integer := digits(text[n:])
	if integer == 0 || integer > 1 && text[n] == '0' {
		return 0
	}

	n += integer
	n += partLength(text[n:], ".", "")
	n += partLength(text[n:], "eE", "+-")

	// Such as a point or an exponent without digits.
	if n < len(text) && wordByte(text[n]) {
		return 0
	}

	return n
}

// partLength returns the length of the part of a number that a text begins with: a byte of lead, perhaps one of signs, and digits.
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

// shortInteger reads an integer of at most 18 digits, which may be in quotes, and returns where it ends; 0 if anything else is
// next. It is faster than the general way.
func (s *scanner) shortInteger() (n int64, end int) {
	start, quoted := s.pos, s.peek() == '"'
	if quoted {
		start++
	}

	n, end = convertDigits(s.data, start)

	switch {
	case end == 0 || end == len(s.data):
	case quoted && s.data[end] == '"':
		return n, end + 1
	case !quoted && !wordByte(s.data[end]):
		return n, end
	}

	return 0, 0
}

// convertDigits converts the integer that begins at start, and returns where it ends; 0 if there is none or it is too long.
func convertDigits(data []byte, start int) (n int64, end int) {
	negative := start < len(data) && data[start] == '-'
	if negative {
		start++
	}

	const maxLength = 18

	length := digits(data[start:])
	if length == 0 || length > maxLength || length > 1 && data[start] == '0' {
		return 0, 0
	}

	for _, c := range data[start : start+length] {
		n = n*10 + int64(c-'0')
	}

	if negative {
		n = -n
	}

	return n, start + length
}

func digits(text []byte) int {
	n := 0
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		n++
	}

	return n
}
