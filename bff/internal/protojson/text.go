package protojson

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// plainByte says of each byte whether it is written as it is in a JSON string.
//
//nolint:gochecknoglobals // Constant.
var plainByte = func() (table [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		table[c] = c != '"' && c != '\\'
	}

	return table
}()

// appendString appends a JSON string. It escapes no more than it must (RFC 8259, section 7).
func appendString(out, text []byte) ([]byte, error) {
	out = append(out, '"')

	i := 0
	for i < len(text) && plainByte[text[i]] {
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
		if plainByte[c] || c >= utf8.RuneSelf {
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

// appendScalar appends a value of the field.
func (f *field) appendScalar(out []byte, v scalar) ([]byte, error) {
	if f.class != classEnum {
		return f.kind.appendScalar(out, v)
	}

	if f.null {
		return append(out, "null"...), nil
	}

	if name, ok := f.names[protoreflect.EnumNumber(v.bits)]; ok {
		return append(out, name...), nil
	}

	return strconv.AppendInt(out, int64(v.bits), decimal), nil
}

const decimal = 10

// appendScalar appends a value that is no enum.
func (k *kind) appendScalar(out []byte, v scalar) ([]byte, error) {
	switch {
	case k.class == classString:
		return appendString(out, v.text)
	case k.class == classBytes:
		return appendBase64(out, v.text), nil
	case k.class == classBool:
		return strconv.AppendBool(out, v.bits != 0), nil
	case k.class == classFloat:
		return appendFloat(out, v.float(k.bits), k.bits), nil
	case k.bits == 64:
		// As a string, since JSON's numbers are floats to many.
		return append(k.appendInteger(append(out, '"'), v.bits), '"'), nil
	default:
		return k.appendInteger(out, v.bits), nil
	}
}

func (k *kind) appendInteger(out []byte, bits uint64) []byte {
	if k.class == classSigned {
		return strconv.AppendInt(out, int64(bits), decimal)
	}

	return strconv.AppendUint(out, bits, decimal)
}

// appendKey appends the key of a map, which is always a string in JSON.
func (k *kind) appendKey(out []byte, v scalar) ([]byte, error) {
	if k.class == classString || k.bits == 64 {
		return k.appendScalar(out, v)
	}

	out, err := k.appendScalar(append(out, '"'), v)

	return append(out, '"'), err
}

// appendFloat appends a float of so many bits, as encoding/json does; what is no number is a string.
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
