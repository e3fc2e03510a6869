package jsonpb

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/suggest"
)

// scalar reads a number, string, bytes, boolean or enum. Not ok: it is to be left out.
func (d *decoder) scalar(f *field) (protoreflect.Value, bool, *Error) {
	var (
		value protoreflect.Value
		err   *Error
	)

	switch kind := f.desc.Kind(); kind {
	case protoreflect.BoolKind:
		value, err = d.boolean()
	case protoreflect.StringKind:
		var text []byte
		if text, err = d.text(); err == nil {
			err = d.spend(int64(len(text)))
			value = protoreflect.ValueOfString(string(text))
		}
	case protoreflect.BytesKind:
		value, err = d.bytes()
	case protoreflect.EnumKind:
		return d.enumeration(f)
	case protoreflect.FloatKind:
		value, err = d.float(32) //nolint:mnd // Bits.
	case protoreflect.DoubleKind:
		value, err = d.float(64) //nolint:mnd // Bits.
	default:
		value, err = d.integer(kind)
	}

	return value, err == nil, err
}

func (d *decoder) boolean() (protoreflect.Value, *Error) {
	switch {
	case d.literal("true"):
		return protoreflect.ValueOfBool(true), nil
	case d.literal("false"):
		return protoreflect.ValueOfBool(false), nil
	default:
		return protoreflect.Value{}, d.wrong("a boolean")
	}
}

// bytes takes both alphabets of base64, padded or not (RFC 4648).
func (d *decoder) bytes() (protoreflect.Value, *Error) {
	text, err := d.text()
	if err != nil {
		return protoreflect.Value{}, err
	}

	encoding := base64.StdEncoding
	if bytes.ContainsAny(text, "-_") {
		encoding = base64.URLEncoding
	}

	const quantum = 4
	if len(text)%quantum != 0 {
		encoding = encoding.WithPadding(base64.NoPadding)
	}

	out, fault := encoding.AppendDecode(nil, text)
	if fault != nil {
		return protoreflect.Value{}, faultf("is not base64")
	}

	return protoreflect.ValueOfBytes(out), d.spend(int64(len(out)))
}

// numeral reads a number, which may stand in quotes.
func (d *decoder) numeral() ([]byte, *Error) {
	if d.peek() != '"' {
		if raw := d.number(); raw != nil {
			return raw, nil
		}

		return nil, d.wrong("a number")
	}

	text, err := d.text()
	if err != nil {
		return nil, err
	}

	if n := numberLength(text); n == 0 || n != len(text) {
		return nil, faultf("%q is not a number", quote(text))
	}

	return text, nil
}

func (d *decoder) float(bits int) (protoreflect.Value, *Error) {
	value, special := 0.0, true

	switch {
	case d.special(`"NaN"`):
		value = math.NaN()
	case d.special(`"Infinity"`):
		value = math.Inf(1)
	case d.special(`"-Infinity"`):
		value = math.Inf(-1)
	default:
		special = false
	}

	if !special {
		raw, err := d.numeral()
		if err != nil {
			return protoreflect.Value{}, err
		}

		var fault error
		if value, fault = strconv.ParseFloat(string(raw), bits); fault != nil {
			return protoreflect.Value{}, faultf("%s is out of range", quote(raw))
		}
	}

	if bits == 32 { //nolint:mnd // As above.
		return protoreflect.ValueOfFloat32(float32(value)), nil
	}

	return protoreflect.ValueOfFloat64(value), nil
}

// special passes over a string with this content, however it is escaped.
func (d *decoder) special(quoted string) bool {
	ahead := d.scanner
	if text, err := ahead.text(); err != nil || len(text)+2 != len(quoted) || string(text) != quoted[1:len(quoted)-1] {
		return false
	}

	d.scanner = ahead

	return true
}

func (d *decoder) integer(kind protoreflect.Kind) (protoreflect.Value, *Error) {
	raw, err := d.numeral()
	if err != nil {
		return protoreflect.Value{}, err
	}

	text, err := whole(raw)
	if err != nil {
		return protoreflect.Value{}, err
	}

	value, ok := parseInteger(kind, text)
	if !ok {
		return protoreflect.Value{}, faultf("%s is out of range", quote(raw))
	}

	return value, nil
}

// parseInteger reads decimal digits.
func parseInteger(kind protoreflect.Kind, text string) (protoreflect.Value, bool) {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(text, 10, 32)

		return protoreflect.ValueOfInt32(int32(n)), err == nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(text, 10, 64)

		return protoreflect.ValueOfInt64(n), err == nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(text, 10, 32)

		return protoreflect.ValueOfUint32(uint32(n)), err == nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(text, 10, 64)

		return protoreflect.ValueOfUint64(n), err == nil
	default:
		return protoreflect.Value{}, false
	}
}

// maxWhole is how many digits the largest integer has.
const maxWhole = 20

// whole spells a JSON number without fraction and exponent, if it is an integer: 1.5e1 is 15.
func whole(raw []byte) (string, *Error) {
	if digits(raw) == len(raw) || raw[0] == '-' && raw[1] != '0' && digits(raw[1:]) == len(raw)-1 {
		return string(raw), nil
	}

	mantissa, exponent := raw, 0

	if i := bytes.IndexAny(raw, "eE"); i >= 0 {
		n, err := strconv.ParseInt(string(raw[i+1:]), 10, 32)
		mantissa, exponent = raw[:i], int(n)

		// With a mantissa of zeros any exponent is fine.
		if err != nil && len(bytes.Trim(mantissa, "-0.")) > 0 {
			return "", faultf("%s is out of range", quote(raw))
		}
	}

	before, after, _ := strings.Cut(strings.TrimPrefix(string(mantissa), "-"), ".")
	before, after = strings.TrimLeft(before, "0"), strings.TrimRight(after, "0")

	// The digits, and how many zeros follow them.
	all, zeros := before+after, exponent-len(after)
	for zeros < 0 && strings.HasSuffix(all, "0") {
		all, zeros = all[:len(all)-1], zeros+1
	}

	switch {
	case strings.Trim(all, "0") == "":
		return "0", nil
	case zeros < 0:
		return "", faultf("%s is not an integer", quote(raw))
	case len(all)+zeros > maxWhole:
		return "", faultf("%s is out of range", quote(raw))
	}

	all += strings.Repeat("0", zeros)
	if raw[0] == '-' {
		all = "-" + all
	}

	return all, nil
}

// enumeration reads a name or a number.
func (d *decoder) enumeration(f *field) (protoreflect.Value, bool, *Error) {
	if f.null && d.literal("null") {
		return protoreflect.ValueOfEnum(0), true, nil
	}

	if d.peek() != '"' {
		raw := d.number()
		if raw == nil {
			return protoreflect.Value{}, false, d.wrong("the name of a value")
		}

		text, err := whole(raw)
		if err != nil {
			return protoreflect.Value{}, false, err
		}

		n, fault := strconv.ParseInt(text, 10, 32)
		if fault != nil {
			return protoreflect.Value{}, false, faultf("%s is out of range", quote(raw))
		}

		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), true, nil
	}

	text, err := d.text()
	if err != nil {
		return protoreflect.Value{}, false, err
	}

	n, ok := f.enum[string(text)]
	if !ok && !d.lenient {
		return protoreflect.Value{}, false,
			faultf("%q is not a value of the enum%s", quote(text), suggest.DidYouMean(string(text), f.enumNames))
	}

	return protoreflect.ValueOfEnum(n), ok, nil
}

// mapKey reads a key, which is always a string in JSON.
func mapKey(kind protoreflect.Kind, name string) (protoreflect.MapKey, *Error) {
	var (
		value protoreflect.Value
		ok    bool
	)

	switch kind {
	case protoreflect.StringKind:
		value, ok = protoreflect.ValueOfString(name), true
	case protoreflect.BoolKind:
		value, ok = protoreflect.ValueOfBool(name == "true"), name == "true" || name == "false"
	default:
		value, ok = parseInteger(kind, name)
	}

	if !ok {
		return protoreflect.MapKey{}, faultf("%q is not a key of type %s", clip(name), kind)
	}

	return value.MapKey(), nil
}
