package protojson

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// plain reports of each byte whether it is written as it is.
//
//nolint:gochecknoglobals // Constant.
var plain = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}

	return table
}()

// appendString appends a JSON string. It escapes no more than it must (RFC 8259, section 7).
func appendString(out, text []byte) ([]byte, error) {
	out = append(out, '"')

	i := plainLength(text)
	for i < len(text) && plain[text[i]] {
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
		if plain[c] || c >= utf8.RuneSelf {
			continue
		}

		out = append(out, text[start:i]...)
		start = i + 1

		// A slash needs none.
		if at := strings.IndexByte(escaped, c); at >= 0 {
			out = append(out, '\\', escapes[at])
		} else {
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
	}

	return append(out, text[start:]...)
}

func appendBase64(out, data []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(out, '"'), data), '"')
}

const decimal = 10

// appendScalar appends a value of the field.
func (f *field) appendScalar(out []byte, v scalar) ([]byte, error) {
	switch f.class {
	case classString:
		return appendString(out, v.text)
	case classBytes:
		return appendBase64(out, v.text), nil
	case classBool:
		return strconv.AppendBool(out, v.bits != 0), nil
	case classEnum:
		if f.null {
			return append(out, "null"...), nil
		}

		if name, ok := f.names[protoreflect.EnumNumber(v.bits)]; ok {
			return append(out, name...), nil
		}

		return strconv.AppendInt(out, int64(v.bits), decimal), nil
	case classFloat:
		return appendFloat(out, v.float(f.bits), int(f.bits)), nil
	default:
		if f.bits == 64 {
			// A string, since many clients read numbers as floats.
			return append(f.appendInteger(append(out, '"'), v.bits), '"'), nil
		}

		return f.appendInteger(out, v.bits), nil
	}
}

func (k *kind) appendInteger(out []byte, bits uint64) []byte {
	if k.class == classSigned {
		return strconv.AppendInt(out, int64(bits), decimal)
	}

	return strconv.AppendUint(out, bits, decimal)
}

// appendKey appends the key of a map, which is always a string in JSON.
func (f *field) appendKey(out []byte, v scalar) ([]byte, error) {
	if f.class == classString || f.bits == 64 {
		return f.appendScalar(out, v)
	}

	out, err := f.appendScalar(append(out, '"'), v)

	return append(out, '"'), err
}

// appendFloat appends a float of this size, as encoding/json does; NaN and infinities are strings.
func appendFloat(out []byte, value float64, bits int) []byte {
	switch {
	case math.IsNaN(value):
		return append(out, `"NaN"`...)
	case math.IsInf(value, 1):
		return append(out, `"Infinity"`...)
	case math.IsInf(value, -1):
		return append(out, `"-Infinity"`...)
	}

	abs := math.Abs(value)

	const small, large = 1e-6, 1e21

	exponent := abs < small || abs >= large
	if bits == 32 {
		exponent = float32(abs) < small || float32(abs) >= large
	}

	if abs == 0 || !exponent {
		return strconv.AppendFloat(out, value, 'f', -1, bits)
	}

	out = strconv.AppendFloat(out, value, 'e', -1, bits)

	// 1e-07 is 1e-7.
	if n := len(out); n >= 4 && out[n-4] == 'e' && out[n-3] == '-' && out[n-2] == '0' {
		out[n-2] = out[n-1]
		out = out[:n-1]
	}

	return out
}
