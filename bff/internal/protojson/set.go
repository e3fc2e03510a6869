package protojson

// set is a set of small numbers; for the lowest nothing is allocated. The zero value is empty.
type set struct {
	low  [4]uint64
	high []uint64
}

const wordBits = 64

// add reports whether the number is new.
func (s *set) add(number int) bool {
	at := uint(number) / wordBits
	word := &s.low[at%uint(len(s.low))]
	if at >= uint(len(s.low)) {
		word = s.highWord(int(at) - len(s.low))
	}

	bit := uint64(1) << (uint(number) % wordBits)
	fresh := *word&bit == 0
	*word |= bit

	return fresh
}

func (s *set) highWord(at int) *uint64 {
	for at >= len(s.high) {
		s.high = append(s.high, 0)
	}

	return &s.high[at]
}
