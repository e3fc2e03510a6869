package mock

import (
	"math"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// set sets a field to a value that meets its rules, if one is found.
func (m *maker) set(msg protoreflect.Message, field protoreflect.FieldDescriptor, n int) {
	of := rulesOf(field)

	for try := range fieldTries {
		msg.Clear(field)

		switch {
		case field.IsList():
			m.list(msg.Mutable(field).List(), field, of, n+try)
		case field.IsMap():
			m.entries(msg.Mutable(field).Map(), field, of, n+try)
		default:
			msg.Set(field, m.value(field, of, func() protoreflect.Value { return msg.NewField(field) }, n+try))
		}

		if of == nil || m.messages >= maxMessages || m.valid(msg, field) {
			return
		}
	}
}

// length is one to three, or as many as the rules require.
func length(n, least, most int) int {
	return min(max(n%3+1, min(least, maxElements)), most)
}

func (m *maker) list(
	list protoreflect.List, field protoreflect.FieldDescriptor, of *validate.FieldRules, n int,
) {
	r := typed(of)
	for i := range length(n, r.size("min_items", 0), r.size("max_items", maxSize)) {
		list.Append(m.value(field, of.GetRepeated().GetItems(), list.NewElement, n+i))
	}
}

func (m *maker) entries(
	entries protoreflect.Map, field protoreflect.FieldDescriptor, of *validate.FieldRules, n int,
) {
	r := typed(of)
	for i := range length(n, r.size("min_pairs", 0), r.size("max_pairs", maxSize)) {
		key := m.value(field.MapKey(), of.GetMap().GetKeys(), nil, n+i)
		entries.Set(key.MapKey(), m.value(field.MapValue(), of.GetMap().GetValues(), entries.NewValue, n+i))
	}
}

// value is a single value of a field. The function makes an empty message.
func (m *maker) value(
	field protoreflect.FieldDescriptor, of *validate.FieldRules, empty func() protoreflect.Value, n int,
) protoreflect.Value {
	if field.Message() == nil {
		return scalar(field, typed(of), n)
	}

	made := empty()
	m.message(made.Message(), of, n)

	return made
}

func scalar(field protoreflect.FieldDescriptor, r rules, n int) protoreflect.Value {
	given, ok := r.given(n)

	switch kind := field.Kind(); {
	case ok && kind == protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(given.Int()))
	case ok:
		return given
	case kind == protoreflect.BoolKind:
		return protoreflect.ValueOfBool(n%2 == 0)
	case kind == protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(choice(field.Enum().Values(), n))
	case kind == protoreflect.StringKind:
		return protoreflect.ValueOfString(text(string(field.Name()), r, n))
	case kind == protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(bytes(string(field.Name()), r, n))
	default:
		return number(kind, r, n)
	}
}

// choice is a value of an enum, not the unspecified one unless it has no other.
func choice(values protoreflect.EnumValueDescriptors, n int) protoreflect.EnumNumber {
	for i := range values.Len() {
		if chosen := values.Get((n + i) % values.Len()).Number(); chosen != 0 {
			return chosen
		}
	}

	return 0
}

// number is near 1 if the rules permit it, and otherwise near the bound that is next to 1.
func number(kind protoreflect.Kind, r rules, n int) protoreflect.Value {
	// few is from how many integers one is taken.
	const few = 100

	unsigned := func(most uint64) uint64 {
		low, high := bounds(r, protoreflect.Value.Uint, 0, most, 1)

		return near(low, high, 1, few, uint64(n))
	}
	signed := func(least, most int64) protoreflect.Value {
		low, high := bounds(r, protoreflect.Value.Int, least, most, 1)

		return integer(kind, near(low, high, 1, few, int64(n)))
	}

	switch kind {
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(floating(r, math.MaxFloat32, n)))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(floating(r, math.MaxFloat64, n))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(unsigned(math.MaxUint64))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(unsigned(math.MaxUint32)))
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return signed(math.MinInt64, math.MaxInt64)
	default:
		return signed(math.MinInt32, math.MaxInt32)
	}
}

// integer is the value of a signed field.
func integer(kind protoreflect.Kind, i int64) protoreflect.Value {
	switch kind {
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return protoreflect.ValueOfInt64(i)
	default:
		return protoreflect.ValueOfInt32(int32(i))
	}
}

// bounds are the least and the greatest number that the rules permit. step is the difference between a number and the next one.
func bounds[T int64 | uint64 | float64](r rules, as func(protoreflect.Value) T, least, most, step T) (low, high T) {
	low, high = least, most

	if v, ok := r.get("gte"); ok {
		low = as(v)
	}

	if v, ok := r.get("gt"); ok {
		low = as(v) + step
	}

	if v, ok := r.get("lte"); ok {
		high = as(v)
	}

	if v, ok := r.get("lt"); ok {
		high = as(v) - step
	}

	// Bounds the wrong way round exclude what is between them.
	if low > high {
		high = most
	}

	return low, high
}

// window is the part of the bounds that is next to a number and not wider than the width.
func window[T int64 | uint64 | float64](low, high, want, width T) (from, to T) {
	switch {
	case want > high:
		// The second argument is above high if the subtraction overflows.
		return max(low, min(high, high-width)), high
	default:
		from = max(low, want)

		return from, min(high, max(from, from+width))
	}
}

// near is the n-th of the numbers next to the wanted one.
func near[T int64 | uint64](low, high, want, count, n T) T {
	from, to := window(low, high, want, count-1)

	return from + n%(to-from+1)
}

// floating is a number with two decimals, where the bounds have room for that.
func floating(r rules, limit float64, n int) float64 {
	const (
		few     = 99
		percent = 100
	)

	low, high := bounds(r, protoreflect.Value.Float, -limit, limit, 0)
	want := min(max(low, 1), high)
	from, to := window(low, high, 1, max(few, math.Abs(want)/percent))

	// Strictly between the bounds, as they may be exclusive.
	exact := from + (to-from)*float64(n%few+1)/percent
	if short := math.Round(exact*percent) / percent; short > from && short < to {
		return short
	}

	return exact
}
