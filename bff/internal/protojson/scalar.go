package protojson

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/suggest"
)

// scalar is the value of a field that is no message.
type scalar struct {
	// text is a string or bytes: a part of the document or of the decoder.
	text []byte
	// bits are an integer, also of a boolean or an enum, or those of a floating-point number.
	bits uint64
}

// scalar reads a number, string, bytes, boolean or enum. Not ok: it is to be left out.
func (d *decoder) scalar(f *field, s slot) (bool, *Error) {
	v, ok, err := d.read(f)
	if ok {
		d.set(f, s, v)
	}

	return ok, err
}

func (d *decoder) set(f *field, s slot, v scalar) {
	if s.place != nil {
		s.set(f.kind, v)
	} else {
		d.put(f, v)
	}
}

// read reads the same without writing it.
func (d *decoder) read(f *field) (v scalar, ok bool, err *Error) {
	switch f.kind {
	case protoreflect.BoolKind:
		v.bits, err = d.boolean()
	case protoreflect.StringKind:
		if v.text, err = d.text(); err == nil {
			err = d.spendText(len(v.text))
		}
	case protoreflect.BytesKind:
		v.text, err = d.bytes()
	case protoreflect.EnumKind:
		v.bits, ok, err = d.enumeration(f)

		return v, ok, err
	case protoreflect.FloatKind, protoreflect.DoubleKind:
		v.bits, err = d.floatBits(f.kind)
	default:
		v.bits, err = d.integerBits(f.kind)
	}

	return v, err == nil, err
}

// value is the scalar as protoreflect has it.
func (v scalar) value(kind protoreflect.Kind) protoreflect.Value {
	switch kind {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(v.bits != 0)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(string(v.text))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(bytes.Clone(v.text))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(v.bits))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(math.Float32frombits(uint32(v.bits)))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(math.Float64frombits(v.bits))
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(v.bits))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(v.bits))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(int64(v.bits))
	default:
		return protoreflect.ValueOfUint64(v.bits)
	}
}

func (d *decoder) boolean() (uint64, *Error) {
	switch {
	case d.literal("true"):
		return 1, nil
	case d.literal("false"):
		return 0, nil
	default:
		return 0, d.wrong("a boolean")
	}
}

// bytes takes both alphabets of base64, padded or not (RFC 4648).
func (d *decoder) bytes() ([]byte, *Error) {
	text, err := d.text()
	if err != nil {
		return nil, err
	}

	const quantum = 4

	encoding, url := base64.StdEncoding, bytes.ContainsAny(text, "-_")

	switch padded := len(text)%quantum == 0; {
	case url && padded:
		encoding = base64.URLEncoding
	case url:
		encoding = base64.RawURLEncoding
	case !padded:
		encoding = base64.RawStdEncoding
	}

	begin := len(d.unescaped)

	out, fault := encoding.AppendDecode(d.unescaped, text)
	if fault != nil {
		return nil, faultf("is not base64")
	}

	d.unescaped = out

	return out[begin:], d.spendText(len(out) - begin)
}

// numeral reads a number, which may stand in quotes.
func (d *decoder) numeral() ([]byte, *Error) {
	if d.peek() != '"' {
		if raw := d.number(); raw != nil {
			return raw, tooLong(raw)
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

	return text, tooLong(text)
}

func (d *decoder) floatBits(kind protoreflect.Kind) (uint64, *Error) {
	if kind == protoreflect.FloatKind {
		value, err := d.float(32)

		return uint64(math.Float32bits(float32(value))), err
	}

	value, err := d.float(64)

	return math.Float64bits(value), err
}

func (d *decoder) float(bits int) (float64, *Error) {
	if d.peek() == '"' {
		switch {
		case d.special("NaN"):
			return math.NaN(), nil
		case d.special("Infinity"):
			return math.Inf(1), nil
		case d.special("-Infinity"):
			return math.Inf(-1), nil
		}
	}

	raw, err := d.numeral()
	if err != nil {
		return 0, err
	}

	value, fault := strconv.ParseFloat(string(raw), bits)
	if fault != nil {
		return 0, faultf("%s is out of range", quote(raw))
	}

	return value, nil
}

// special passes over a string with this content, however it is escaped.
func (d *decoder) special(content string) bool {
	ahead := d.scanner
	if text, err := ahead.text(); err != nil || string(text) != content {
		return false
	}

	d.scanner = ahead

	return true
}

func (d *decoder) integerBits(kind protoreflect.Kind) (uint64, *Error) {
	if n, end := d.integer(); end > 0 && fits(kind, n) {
		d.skipTo(end)

		return uint64(n), nil
	}

	raw, err := d.numeral()
	if err != nil {
		return 0, err
	}

	text, err := whole(raw)
	if err != nil {
		return 0, err
	}

	value, ok := parseInteger(kind, text)
	if !ok {
		return 0, faultf("%s is out of range", quote(raw))
	}

	return value, nil
}

// fits reports whether a type has the integer.
func fits(kind protoreflect.Kind, n int64) bool {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return n == int64(int32(n))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return n == int64(uint32(n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return n >= 0
	default:
		return true
	}
}

// parseInteger reads decimal digits.
func parseInteger(kind protoreflect.Kind, text string) (uint64, bool) {
	switch kind {
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(text, 10, 32)

		return uint64(n), err == nil
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(text, 10, 64)

		return uint64(n), err == nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(text, 10, 32)

		return n, err == nil
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(text, 10, 64)

		return n, err == nil
	default:
		return 0, false
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

// enumeration reads a name or a number. Not ok: the name is to be passed over.
func (d *decoder) enumeration(f *field) (uint64, bool, *Error) {
	if f.null && d.literal("null") {
		return 0, true, nil
	}

	if d.peek() != '"' {
		raw := d.number()
		if raw == nil {
			return 0, false, d.wrong("the name of a value")
		}

		if err := tooLong(raw); err != nil {
			return 0, false, err
		}

		text, err := whole(raw)
		if err != nil {
			return 0, false, err
		}

		n, fault := strconv.ParseInt(text, 10, 32)
		if fault != nil {
			return 0, false, faultf("%s is out of range", quote(raw))
		}

		return uint64(n), true, nil
	}

	text, err := d.text()
	if err != nil {
		return 0, false, err
	}

	n, ok := f.enum[string(text)]
	if !ok && !d.lenient {
		return 0, false, faultf("%q is not a value of the enum%s", quote(text), suggest.DidYouMean(string(text), f.enumNames))
	}

	return uint64(n), ok, nil
}

// parseKey reads a key, which is always a string in JSON.
func parseKey(kind protoreflect.Kind, name []byte) (v scalar, ok bool) {
	switch kind {
	case protoreflect.StringKind:
		return scalar{text: name}, true
	case protoreflect.BoolKind:
		if string(name) == "true" {
			v.bits = 1
		}

		return v, v.bits == 1 || string(name) == "false"
	default:
		v.bits, ok = parseInteger(kind, string(name))

		return v, ok
	}
}

// wrongKey tells that a key is not of its type.
func wrongKey(kind protoreflect.Kind, name string) *Error {
	return faultf("%q is not a key of type %s", Clip(name), kind)
}
