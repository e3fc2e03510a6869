package mock

import (
	"math"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// draws is how often another value is drawn when one is refused.
const draws = 20

// bounds are the ends of what a number may be, both among it.
type bounds[T int64 | uint64 | float64] struct{ low, high T }

// bound reads the ends from the rules. next is the number after (or before, if down) one.
func (b bounds[T]) bound(r rules, as func(protoreflect.Value) T, next func(of T, down bool) T) bounds[T] {
	whole := b

	if v, ok := r.get("gte"); ok {
		b.low = as(v)
	}

	if v, ok := r.get("gt"); ok {
		b.low = next(as(v), false)
	}

	if v, ok := r.get("lte"); ok {
		b.high = as(v)
	}

	if v, ok := r.get("lt"); ok {
		b.high = next(as(v), true)
	}

	// Ends the wrong way round mean: not between them.
	if b.low > b.high {
		b.high = whole.high
	}

	return b
}

// narrow takes about a hundred numbers of the bounds: those from 1 on where they are allowed, else those next to a bound.
func (b bounds[T]) narrow() bounds[T] {
	const few = 99

	switch {
	case b.low > 1:
		return bounds[T]{b.low, min(max(b.low+few, b.low), b.high)}
	case b.high < 1:
		return bounds[T]{max(min(b.high-few, b.high), b.low), b.high}
	default:
		return bounds[T]{1, min(1+few, b.high)}
	}
}

// number is one of the kind that keeps the rules; n, if it counts something.
func number(kind protoreflect.Kind, r rules, s seed, n int64, counts bool) protoreflect.Value {
	switch kind {
	case protoreflect.FloatKind:
		return floating(r, s, math.MaxFloat32,
			func(v float64) protoreflect.Value { return protoreflect.ValueOfFloat32(float32(v)) })
	case protoreflect.DoubleKind:
		return floating(r, s, math.MaxFloat64, protoreflect.ValueOfFloat64)
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return whole(r, s, bounds[uint64]{0, math.MaxUint64}, protoreflect.Value.Uint, protoreflect.ValueOfUint64)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return whole(r, s, bounds[uint64]{0, math.MaxUint32}, protoreflect.Value.Uint,
			func(v uint64) protoreflect.Value { return protoreflect.ValueOfUint32(uint32(v)) })
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		if counts {
			return protoreflect.ValueOfInt64(n)
		}

		return whole(r, s, bounds[int64]{math.MinInt64, math.MaxInt64}, protoreflect.Value.Int, protoreflect.ValueOfInt64)
	default:
		if counts {
			return protoreflect.ValueOfInt32(int32(min(n, math.MaxInt32)))
		}

		return whole(r, s, bounds[int64]{math.MinInt32, math.MaxInt32}, protoreflect.Value.Int,
			func(v int64) protoreflect.Value { return protoreflect.ValueOfInt32(int32(v)) })
	}
}

func whole[T int64 | uint64](
	r rules, s seed, b bounds[T], as func(protoreflect.Value) T, wrap func(T) protoreflect.Value,
) protoreflect.Value {
	b = b.bound(r, as, step).narrow()
	random := s.rand()

	return drawn(r, func() protoreflect.Value { return wrap(b.low + T(random.Uint64N(uint64(b.high-b.low)+1))) })
}

// step is the next whole number.
func step[T int64 | uint64](of T, down bool) T {
	if down {
		return of - 1
	}

	return of + 1
}

func floating(r rules, s seed, limit float64, wrap func(float64) protoreflect.Value) protoreflect.Value {
	b := bounds[float64]{-limit, limit}.bound(r, protoreflect.Value.Float, func(of float64, down bool) float64 {
		to := math.Inf(1)
		if down {
			to = math.Inf(-1)
		}

		if limit == math.MaxFloat32 {
			return float64(math.Nextafter32(float32(of), float32(to)))
		}

		return math.Nextafter(of, to)
	}).narrow()

	random := s.rand()

	return drawn(r, func() protoreflect.Value {
		exact := b.low + random.Float64()*(b.high-b.low)
		// Two digits are enough for people, where they leave a choice.
		if short := math.Round(exact*100) / 100; short > b.low && short < b.high {
			return wrap(short)
		}

		return wrap(exact)
	})
}

// drawn draws until "not_in" has nothing against it.
func drawn(r rules, draw func() protoreflect.Value) protoreflect.Value {
	value := draw()
	for range draws {
		if !r.refuses(value) {
			break
		}

		value = draw()
	}

	return value
}
