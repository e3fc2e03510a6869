package pathtemplate

import "strings"

// segment is a set of path segments: one literal, or all that end in a text and do not consist of it alone.
type segment struct {
	// wild: text is only the end, ":" and a verb, or empty for no condition but that there is something.
	wild bool
	text string
	// empty: any segment, even an empty one. It is wild, and has no text.
	empty bool
}

// holds reports whether the escaped segment of a path is in the set.
func (s segment) holds(part string) bool {
	if !s.wild {
		return part == s.text
	}

	head, ok := strings.CutSuffix(part, s.text)

	return ok && (head != "" || s.empty) && wellFormed(head)
}

// covers reports whether all of the other set is in this one. Of two sets, either one covers the other or they have nothing in
// common.
func (s segment) covers(other segment) bool {
	switch {
	case !s.wild:
		return s == other
	case s.empty:
		return true
	default:
		return strings.HasSuffix(other.text, s.text) && (other.wild && !other.empty || len(other.text) > len(s.text))
	}
}

// escapeLength is the length of a percent-encoded byte (RFC 3986, section 2.1).
const escapeLength = len("%2F")

// wellFormed reports whether every "%" begins an escape.
func wellFormed(part string) bool {
	for {
		at := strings.IndexByte(part, '%')
		if at < 0 {
			return true
		}

		part = part[at:]
		if len(part) < escapeLength || !isHex(part[1]) || !isHex(part[2]) {
			return false
		}

		part = part[escapeLength:]
	}
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
