package protojson

import (
	"bytes"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/hint"
)

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
		d.setPlace(s, f.class, v)
	} else {
		d.put(f, v)
	}
}

// read reads the same without setting it.
func (d *decoder) read(f *field) (v scalar, ok bool, err *Error) {
	switch f.class {
	case classBool:
		v.bits, err = d.boolean()
	case classString:
		if v.text, err = d.text(); err == nil {
			err = d.spendText(len(v.text))
		}
	case classBytes:
		v.text, err = d.bytes()
	case classEnum:
		v.bits, ok, err = d.enumeration(f)
		return v, ok, err
	case classFloat:
		v.bits, err = d.floatBits(f.bits)
	default:
		v.bits, err = d.integerBits(&f.kind)
	}

	return v, err == nil, err
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

// bytes reads either alphabet of base64, with or without padding (RFC 4648).
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

// numeral reads a number, with or without quotes, or one of the names in quotes.
func (d *decoder) numeral(names ...string) ([]byte, *Error) {
	if d.peek() != '"' {
		return d.number("a number")
	}

	text, err := d.text()
	if err != nil {
		return nil, err
	}

	if n := numberLength(text); (n == 0 || n != len(text)) && !slices.Contains(names, string(text)) {
		return nil, faultf("%q is not a number", quote(text))
	}

	return text, tooLong(text)
}

func (d *decoder) floatBits(bits uint8) (uint64, *Error) {
	raw, err := d.numeral("NaN", "Infinity", "-Infinity")
	if err != nil {
		return 0, err
	}

	value, fault := strconv.ParseFloat(string(raw), int(bits))

	switch {
	case fault != nil:
		return 0, faultf("%s is out of range", quote(raw))
	case bits == 32:
		return uint64(math.Float32bits(float32(value))), nil
	default:
		return math.Float64bits(value), nil
	}
}

func (d *decoder) integerBits(of *kind) (uint64, *Error) {
	if n, end := d.shortInteger(); end > 0 && of.fits(n) {
		d.skipTo(end)
		return uint64(n), nil
	}

	raw, err := d.numeral()
	if err != nil {
		return 0, err
	}

	return of.integer(raw)
}

// integer converts a JSON number.
func (k *kind) integer(raw []byte) (uint64, *Error) {
	if value, ok := k.parseInteger(string(raw)); ok {
		return value, nil
	}

	text, err := expand(raw)
	if err != nil {
		return 0, err
	}

	value, ok := k.parseInteger(text)
	if !ok {
		return 0, faultf("%s is out of range", quote(raw))
	}

	return value, nil
}

// maxDigits is how many digits the largest integer has.
const maxDigits = 20

// expand writes a JSON number that is an integer without fraction and exponent: 1.5e1 is 15.
func expand(raw []byte) (string, *Error) {
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
	case len(all)+zeros > maxDigits:
		return "", faultf("%s is out of range", quote(raw))
	}

	all += strings.Repeat("0", zeros)
	if raw[0] == '-' {
		all = "-" + all
	}

	return all, nil
}

// enumeration reads a name or a number. Not ok: the name is unknown, and to be skipped.
func (d *decoder) enumeration(f *field) (uint64, bool, *Error) {
	if f.null && d.literal("null") {
		return 0, true, nil
	}

	if d.peek() != '"' {
		raw, err := d.number("the name of a value")
		if err != nil {
			return 0, false, err
		}

		n, err := f.integer(raw)

		return n, err == nil, err
	}

	text, err := d.text()
	if err != nil {
		return 0, false, err
	}

	n, ok := f.numbers[string(text)]
	if ok || d.lenient {
		return uint64(n), ok, nil
	}

	values := f.desc.Enum().Values()

	names := make([]string, values.Len())
	for i := range names {
		names[i] = string(values.Get(i).Name())
	}

	return 0, false, faultf("%q is not a value of the enum%s", quote(text), hint.DidYouMean(string(text), names))
}

// wrongKey is the error of a key that is not of its type.
func wrongKey(kind protoreflect.Kind, name string) *Error {
	return faultf("%q is not a key of type %s", Clip(name), kind)
}
