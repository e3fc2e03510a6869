package httpfield

import (
	"iter"
	"strconv"
	"strings"
	"time"
)

// Directives yields those of Cache-Control, with names in lower case and values without quotes (RFC 9111, section 5.2).
func Directives(lines []string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for element := range Elements(lines) {
			name, value, _ := strings.Cut(element, "=")
			name = strings.ToLower(strings.Trim(name, space))

			if name != "" && !yield(name, unquote(strings.Trim(value, space))) {
				return
			}
		}
	}
}

// DeltaSeconds reads a number of seconds (RFC 9111, section 1.2.2). A larger number than 2^31 counts as that.
func DeltaSeconds(text string) (d time.Duration, ok bool) {
	const longest = 1 << 31 // The RFC's own.

	if text == "" || strings.Trim(text, "0123456789") != "" {
		return 0, false
	}

	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds > longest {
		seconds = longest
	}

	return time.Duration(seconds) * time.Second, true
}
