package pathtemplate

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValueFault returns what is wrong with the unescaped value of a path variable: it is empty, or unsafe in paths, queries or
// headers that backends build from it. In a variable of several segments reserved characters stay escaped, and a backend may
// unescape them, so that is checked as well.
func ValueFault(value string) string {
	switch {
	case value == "":
		return "is empty"
	case isPlain(value):
		return ""
	}

	if again, err := url.PathUnescape(value); err == nil && again != value {
		if fault := textFault(again); fault != "" {
			return fault
		}
	}

	return textFault(value)
}

// isPlain reports whether a value consists of letters, digits, dashes and underscores, as most do.
func isPlain(value string) bool {
	for i := range len(value) {
		switch c := value[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}

	return true
}

func textFault(value string) string {
	switch {
	case !utf8.ValidString(value):
		return "is not valid UTF-8"
	case strings.ContainsFunc(value, unicode.IsControl):
		return "contains a control character"
	case strings.Contains(value, `\`):
		return "contains a backslash"
	}

	for segment := range strings.SplitSeq(value, "/") {
		if segment == "." || segment == ".." {
			return "contains a dot segment"
		}
	}

	return ""
}
