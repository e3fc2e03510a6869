package mock

import (
	"math"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// span is from the first number to the last.
type span struct{ from, to int64 }

// spans are what numbers are usually, by the end of the field's name.
func spans() map[string]span {
	return map[string]span{
		"age":         {18, 80},
		"amount":      {1, 200},
		"birth_year":  {1955, 2006},
		"cents":       {100, 20_000},
		"count":       {0, 40},
		"day":         {1, 28},
		"discount":    {0, 30},
		"height":      {100, 1600},
		"hour":        {0, 23},
		"hours":       {0, 23},
		"index":       {0, 9},
		"latitude":    {-60, 70},
		"level":       {1, 10},
		"longitude":   {-180, 180},
		"minute":      {0, 59},
		"minutes":     {0, 59},
		"month":       {1, 12},
		"page_size":   {10, 50},
		"percent":     {0, 100},
		"percentage":  {0, 100},
		"points":      {0, 5000},
		"port":        {1024, 65_535},
		"position":    {1, 20},
		"price":       {1, 200},
		"priority":    {1, 5},
		"quantity":    {1, 5},
		"rank":        {1, 100},
		"rate":        {0, 1},
		"rating":      {1, 5},
		"ratio":       {0, 1},
		"revision":    {1, 20},
		"score":       {0, 100},
		"second":      {0, 59},
		"seconds":     {1, 600},
		"sequence":    {1, 20},
		"size_bytes":  {2_000, 4_000_000},
		"stars":       {1, 5},
		"stock":       {0, 300},
		"temperature": {-5, 35},
		"version":     {1, 20},
		"weight":      {1, 2000},
		"width":       {100, 1600},
		"year":        {2015, 2026},
	}
}

// usual is the span of a number of that name.
func (m *maker) usual(name string) span {
	found, ok := bySuffix(m.spans, name)
	if !ok {
		return span{1, 1000}
	}

	return found
}

// bySuffix looks a field's name up, then what is left of it without its first word, and so on.
func bySuffix[T any](known map[string]T, name string) (found T, ok bool) {
	for {
		if found, ok = known[name]; ok {
			return found, true
		}

		if _, name, ok = strings.Cut(name, "_"); !ok {
			return found, false
		}
	}
}

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

// meet narrows the usual span to the bounds. Where they do not meet, it is what is next to the bound.
func (b bounds[T]) meet(low, high T) bounds[T] {
	switch {
	case high < b.low:
		if high = b.low + (high - low); high < b.low {
			high = b.low
		}

		return bounds[T]{b.low, min(high, b.high)}
	case low > b.high:
		if low = b.high - (high - low); low > b.high {
			low = b.high
		}

		return bounds[T]{max(low, b.low), b.high}
	default:
		return bounds[T]{max(low, b.low), min(high, b.high)}
	}
}

// draws is how often another number is drawn when one is refused.
const draws = 20

func (m *maker) signed(name string, r rules, s seed, bits int) protoreflect.Value {
	as, limit := protoreflect.Value.Int, int64(1)<<(bits-1)-1

	usual := m.usual(name)
	b := bounds[int64]{-limit - 1, limit}.bound(r, as, func(of int64, down bool) int64 {
		if down {
			return of - 1
		}

		return of + 1
	}).meet(usual.from, usual.to)

	random, wrap := s.rand(), func(v int64) protoreflect.Value {
		if bits == bits32 {
			return protoreflect.ValueOfInt32(int32(v))
		}

		return protoreflect.ValueOfInt64(v)
	}

	return drawn(r, func() protoreflect.Value { return wrap(b.low + int64(random.Uint64N(uint64(b.high-b.low)+1))) })
}

func (m *maker) unsigned(name string, r rules, s seed, bits int) protoreflect.Value {
	usual := m.usual(name)
	b := bounds[uint64]{0, math.MaxUint64 >> (bits64 - bits)}.bound(r, protoreflect.Value.Uint, func(of uint64, down bool) uint64 {
		if down {
			return of - 1
		}

		return of + 1
	}).meet(uint64(max(usual.from, 0)), uint64(max(usual.to, 1)))

	random, wrap := s.rand(), func(v uint64) protoreflect.Value {
		if bits == bits32 {
			return protoreflect.ValueOfUint32(uint32(v))
		}

		return protoreflect.ValueOfUint64(v)
	}

	return drawn(r, func() protoreflect.Value { return wrap(b.low + random.Uint64N(b.high-b.low+1)) })
}

const (
	bits32 = 32
	bits64 = 64
)

func (m *maker) real(name string, r rules, s seed, bits int) protoreflect.Value {
	usual, limit := m.usual(name), math.MaxFloat64
	if bits == bits32 {
		limit = math.MaxFloat32
	}

	b := bounds[float64]{-limit, limit}.bound(r, protoreflect.Value.Float, func(of float64, down bool) float64 {
		to := math.Inf(1)
		if down {
			to = math.Inf(-1)
		}

		if bits == bits32 {
			return float64(math.Nextafter32(float32(of), float32(to)))
		}

		return math.Nextafter(of, to)
	}).meet(float64(usual.from), float64(usual.to))

	random, wrap := s.rand(), func(v float64) protoreflect.Value {
		if bits == bits32 {
			return protoreflect.ValueOfFloat32(float32(v))
		}

		return protoreflect.ValueOfFloat64(v)
	}

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
