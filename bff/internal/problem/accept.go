package problem

import (
	"iter"
	"mime"
	"strconv"
	"strings"
)

const (
	mediaTypeStatus = "application/json"
	statusName      = "google.rpc.Status"
)

// AcceptStatus is the media range by which a client asks for a google.rpc.Status.
const AcceptStatus = mediaTypeStatus + `;error="` + statusName + `"`

// WantsStatus tells whether the client asks for a google.rpc.Status: whether AcceptStatus is among the values of its Accept header,
// wherever it stands there.
func WantsStatus(accept []string) bool {
	for _, value := range accept {
		for element := range elements(value) {
			if isStatus(element) {
				return true
			}
		}
	}

	return false
}

func isStatus(mediaRange string) bool {
	// Most say nothing about errors.
	if !strings.Contains(mediaRange, ";") {
		return false
	}

	mediaType, params, err := mime.ParseMediaType(mediaRange)
	if err != nil || mediaType != mediaTypeStatus || !strings.EqualFold(params["error"], statusName) {
		return false
	}

	// A weight of zero means anything but this (RFC 9110, section 12.4.2).
	weight, err := strconv.ParseFloat(params["q"], 64)

	return err != nil || weight > 0
}

// elements are those of a list in a header (RFC 9110, section 5.6.1). A comma in a quoted string does not part them.
func elements(list string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start, quoted, escaped := 0, false, false

		for i := range len(list) {
			switch c := list[i]; {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			case c == ',' && !quoted:
				if !yield(list[start:i]) {
					return
				}

				start = i + 1
			}
		}

		yield(list[start:])
	}
}
