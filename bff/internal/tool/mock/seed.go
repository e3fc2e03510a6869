package mock

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"

	"github.com/brianvoe/gofakeit/v7"
)

// seed decides what is drawn. Each field draws from a seed of its own, so that a field more changes none of the others.
type seed uint64

// of is the seed of a part.
func (s seed) of(parts ...string) seed {
	h := fnv.New64a()

	var number [8]byte

	binary.LittleEndian.PutUint64(number[:], uint64(s))
	_, _ = h.Write(number[:]) // A hash takes everything.

	for _, part := range parts {
		binary.LittleEndian.PutUint64(number[:], uint64(len(part)))
		_, _ = h.Write(number[:])
		_, _ = h.Write([]byte(part))
	}

	return seed(h.Sum64())
}

// at is the seed of one of many.
func (s seed) at(i int) seed {
	var number [8]byte

	binary.LittleEndian.PutUint64(number[:], uint64(i))

	return s.of(string(number[:]))
}

// source is for one draw, or for several in a row.
func (s seed) source() rand.Source {
	// The second number is a constant without a meaning (the golden ratio); the first tells the seeds apart.
	return rand.NewPCG(uint64(s), 0x9e3779b97f4a7c15)
}

// rand is for one draw, or for several in a row.
func (s seed) rand() *rand.Rand {
	return rand.New(s.source()) //nolint:gosec // Mocks are to be the same again, not hard to guess.
}

// faker is for one draw, or for several in a row.
func (s seed) faker() *gofakeit.Faker { return gofakeit.NewFaker(s.source(), false) }

// chance is true in so many of a hundred.
func (s seed) chance(percent int) bool {
	const whole = 100

	return s.rand().IntN(whole) < percent
}

// one of the list, which is not empty.
func one[T any](s seed, list []T) T { return list[s.rand().IntN(len(list))] }
