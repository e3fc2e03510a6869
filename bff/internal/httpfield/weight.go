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
	value, params := parameters(element)

	for name, text := range params {
		if name == "q" {
			w, ok = ParseWeight(text)
			return value, w, ok
		}
	}

	return value, full, true
}

// Codings returns the offered content codings that an Accept-Encoding prefers, several if they have the same weight (RFC 9110,
// section 12.5.3). There are none if identity has more weight, or none is listed. The wildcard chooses none, since clients that
// send it alone often mean no compression. If a coding is listed more than once, the first one counts.
func Codings(acceptEncoding []string, offers ...string) []string {
	if len(acceptEncoding) == 0 {
		return nil
	}

	codings := append([]string{"identity"}, offers...)
	weights, named := make([]Weight, len(codings)), make([]bool, len(codings))

	for element := range Elements(acceptEncoding) {
		value, w, ok := weighted(element)

		for i, coding := range codings {
			if ok && !named[i] && strings.EqualFold(value, coding) {
				weights[i], named[i] = w, true
			}
		}
	}

	best, liked := weights[0], make([]string, 0, len(offers))

	for i, w := range weights[1:] {
		switch {
		case w == 0 || w < best:
		case w > best:
			best, liked = w, append(liked[:0], offers[i])
		default:
			liked = append(liked, offers[i])
		}
	}

	return liked
}
