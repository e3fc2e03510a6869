package protojson

import (
	"encoding/base64"
	"unicode/utf8"
)

// plainBytes tells of each byte whether it stands for itself in a JSON string.
//
//nolint:gochecknoglobals // Constant.
var plainBytes = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}

	return table
}()

// appendString appends a JSON string. It escapes no more than it must (RFC 8259, section 7).
func appendString(out, text []byte) ([]byte, error) {
	out = append(out, '"')

	i := 0
	for i < len(text) && plainBytes[text[i]] {
		i++
	}

	out = append(out, text[:i]...)

	if i < len(text) {
		if !utf8.Valid(text[i:]) {
			return out, errUTF8
		}

		out = appendEscaped(out, text[i:])
	}

	return append(out, '"'), nil
}

// appendEscaped appends a text that is valid UTF-8.
func appendEscaped(out, text []byte) []byte {
	start := 0

	for i, c := range text {
		if plainBytes[c] || c >= utf8.RuneSelf {
			continue
		}

		out = append(out, text[start:i]...)
		start = i + 1

		switch c {
		case '"', '\\':
			out = append(out, '\\', c)
		case '\b':
			out = append(out, '\\', 'b')
		case '\f':
			out = append(out, '\\', 'f')
		case '\n':
			out = append(out, '\\', 'n')
		case '\r':
			out = append(out, '\\', 'r')
		case '\t':
			out = append(out, '\\', 't')
		default:
			const hex = "0123456789abcdef"

			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}

	return append(out, text[start:]...)
}

func appendBase64(out, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(out, '"'), data), '"')
}

// appendCompact appends JSON without the spaces between its parts.
func appendCompact(out, text []byte) []byte {
	quoted := false

	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
			out = append(out, c, text[i])
		case c == ' ' && !quoted:
		case c == '"':
			quoted = !quoted

			out = append(out, c)
		default:
			out = append(out, c)
		}
	}

	return out
}
