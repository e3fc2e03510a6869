package httpfield

import (
	"iter"
	"net/http"
	"slices"
	"strings"
)

// AnyTag is every entity tag, in a condition.
const AnyTag = "*"

// EntityTags yields those of a list, as in If-Match and If-None-Match, or AnyTag if it is alone (RFC 9110, sections 8.8.3 and
// 13.1). A tag may contain commas, and backslashes, which escape nothing. The rest of a line after something that is not a tag is
// ignored.
func EntityTags(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if len(lines) == 1 && strings.Trim(lines[0], space) == AnyTag {
			yield(AnyTag)
			return
		}

		for _, line := range lines {
			for rest := strings.TrimLeft(line, space+","); rest != ""; rest = strings.TrimLeft(rest, space+",") {
				length := tagLength(rest)
				if length == 0 {
					break
				}

				if !yield(rest[:length]) {
					return
				}

				rest = strings.TrimLeft(rest[length:], space)
				if rest != "" && rest[0] != ',' {
					break
				}
			}
		}
	}
}

// tagLength returns the length of the entity tag that a text begins with; 0 if there is none.
func tagLength(text string) int {
	opaque := strings.TrimPrefix(text, "W/")
	if !strings.HasPrefix(opaque, `"`) {
		return 0
	}

	end := strings.IndexByte(opaque[1:], '"')
	if end < 0 || strings.ContainsFunc(opaque[1:1+end], func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return 0
	}

	return len(text) - len(opaque) + end + len(`""`)
}

// IsEntityTag reports whether a text is an entity tag.
func IsEntityTag(text string) bool { return text != "" && tagLength(text) == len(text) }

// NoneMatch reports whether If-None-Match is true for a representation with this tag (RFC 9110, section 13.1.2). Tags are compared
// weakly. Without the field it is true.
func NoneMatch(ifNoneMatch []string, tag string) bool {
	for known := range EntityTags(ifNoneMatch) {
		if known == AnyTag || WeakEqual(known, tag) {
			return false
		}
	}

	return true
}

// FoldIfNoneMatch writes If-None-Match in one line of entity tags, so that http.ServeContent reads it as this package does: it
// reads only the first line, and a "*" in a list as any tag.
func FoldIfNoneMatch(header http.Header) {
	const name = "If-None-Match"

	if tags := slices.Collect(EntityTags(header[name])); len(tags) > 0 {
		header.Set(name, strings.Join(tags, ", "))
	} else {
		header.Del(name)
	}
}

// WeakEqual compares entity tags whether they are weak or not (RFC 9110, section 8.8.3.2).
func WeakEqual(a, b string) bool { return strings.TrimPrefix(a, "W/") == strings.TrimPrefix(b, "W/") }
