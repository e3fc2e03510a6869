package httpfield

import "strings"

// Weight is a quality value in thousandths, from 0, which means "not acceptable", to 1000 (RFC 9110, section 12.4.2).
type Weight int

// full is the weight of what has none.
const full Weight = 1000

// ParseWeight reads a quality value. Digits after the third are ignored, and the 0 before the point may be missing, as Java's
// HttpURLConnection sends it. Anything else that is not a number from 0 to 1 is not ok.
func ParseWeight(text string) (w Weight, ok bool) {
	whole, fraction, _ := strings.Cut(text, ".")

	switch {
	case strings.Trim(fraction, "0123456789") != "", whole == "" && fraction == "":
		return 0, false
	case whole == "1":
		return full, strings.Trim(fraction, "0") == ""
	case whole != "0" && whole != "":
		return 0, false
	}

	const digits = 3

	for i := range digits {
		w *= 10
		if i < len(fraction) {
			w += Weight(fraction[i] - '0')
		}
	}

	return w, true
}

// weighted returns an element of a list without its parameters, and its weight. It is not ok if that cannot be read.
func weighted(element string) (value string, w Weight, ok bool) {
	value, _, _ = strings.Cut(element, ";")
	value = strings.Trim(value, space)

	text, found := parameter(element, "q")
	if !found {
		return value, full, true
	}

	w, ok = ParseWeight(text)

	return value, w, ok
}

// maxOffers is how many content codings can be offered.
const maxOffers = 8

// Codings returns which of the offered content codings an Accept-Encoding prefers, several if they have the same weight (RFC 9110,
// section 12.5.3): bit i is for the offer i, of which there are at most eight. There are none if identity has more weight, or none
// is listed. The wildcard chooses none, since clients that send it alone often mean no compression. If a coding is listed more than
// once, the first one counts.
func Codings(acceptEncoding []string, offers ...string) (preferred uint8) {
	var (
		identity rated
		offered  [maxOffers]rated
	)

	for element := range Elements(acceptEncoding) {
		value, w, ok := weighted(element)
		if !ok {
			continue
		}

		identity.rate(value, "identity", w)

		for i, offer := range offers {
			offered[i].rate(value, offer, w)
		}
	}

	best := identity.weight

	for i := range offers {
		switch w := offered[i].weight; {
		case w == 0 || w < best:
		case w > best:
			best, preferred = w, 1<<i
		default:
			preferred |= 1 << i
		}
	}

	return preferred
}

// rated is the weight of a coding, once it was named.
type rated struct {
	weight Weight
	named  bool
}

// rate is for the next element of a list, with this value and weight.
func (r *rated) rate(value, coding string, w Weight) {
	if !r.named && strings.EqualFold(value, coding) {
		r.weight, r.named = w, true
	}
}
