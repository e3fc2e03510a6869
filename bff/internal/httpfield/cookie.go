package httpfield

import (
	"net/textproto"
	"strings"
)

// Cookie returns the value of the last cookie with a name in the lines of a header's Cookie fields (RFC 6265, section 4.2.1), and
// how many there are. It also counts those that net/http drops because of their values.
func Cookie(lines []string, name string) (value string, count int) {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if each, text, _ := strings.Cut(pair, "="); textproto.TrimString(each) == name {
				value = textproto.TrimString(text)
				count++
			}
		}
	}

	return value, count
}
