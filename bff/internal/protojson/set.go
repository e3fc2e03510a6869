package protojson

// set is a set of small numbers, the lowest of which cost nothing. The zero value is empty.
type set struct {
	low  [4]uint64
	high []uint64
}

// add reports whether the number is new.
func (s *set) add(number int) bool {
	const bits = 64

	words, word := s.low[:], number/bits
	if word >= len(words) {
		word -= len(words)
		for word >= len(s.high) {
			s.high = append(s.high, 0)
		}

		words = s.high
	}

	bit := uint64(1) << (number % bits)
	fresh := words[word]&bit == 0
	words[word] |= bit

	return fresh
}
