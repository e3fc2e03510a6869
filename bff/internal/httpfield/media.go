package httpfield

import (
	"cmp"
	"iter"
	"strings"
)

// MediaRange is an element of an Accept field (RFC 9110, section 12.5.1).
type MediaRange struct {
	// Type is "text/html", "text/*" or "*/*", in lower case.
	Type   string
	Weight Weight
	// element is all of it.
	element string
}

// Param returns the value of a parameter, whose name may be in any case. Empty: there is none.
func (m MediaRange) Param(name string) string {
	value, _ := parameter(m.element, name)
	return value
}

// Accept yields the media ranges of an Accept field.
func Accept(lines []string) iter.Seq[MediaRange] {
	return func(yield func(MediaRange) bool) {
		for element := range Elements(lines) {
			value, w, ok := weighted(element)
			// Java sends it for "*/*".
			if value == "*" {
				value = "*/*"
			}

			if ok && strings.Count(value, "/") == 1 && !yield(MediaRange{strings.ToLower(value), w, element}) {
				return
			}
		}
	}
}

// specificity is how exactly a media range names a media type; 0: not at all.
func (m MediaRange) specificity(mediaType string) int {
	const ofAny, ofType, exact = 1, 2, 3

	beginning, wild := strings.CutSuffix(m.Type, "*")

	switch {
	case m.Type == mediaType:
		return exact
	case m.Type == "*/*":
		return ofAny
	case wild && strings.HasSuffix(beginning, "/") && strings.HasPrefix(mediaType, beginning):
		return ofType
	default:
		return 0
	}
}

// Negotiate returns the offered media type that an Accept field prefers: by the weight of the most specific range that matches,
// then by its specificity, then by its place in the field, then by the order of the offers. Parameters of ranges are ignored. The
// result is empty if none is accepted. A field without a readable range accepts all.
func Negotiate(accept, offers []string) string {
	ratings, place := make([]rating, len(offers)), 0

	for m := range Accept(accept) {
		place++

		for i, offer := range offers {
			if s := m.specificity(offer); s > ratings[i].specificity {
				ratings[i] = rating{m.Weight, s, place}
			}
		}
	}

	if place == 0 {
		return offers[0]
	}

	best := -1

	for i, r := range ratings {
		if r.weight > 0 && (best < 0 || r.better(ratings[best])) {
			best = i
		}
	}

	if best < 0 {
		return ""
	}

	return offers[best]
}

// rating is that of an offer by a field.
type rating struct {
	weight Weight
	// specificity and place are those of the range.
	specificity, place int
}

func (r rating) better(other rating) bool {
	return cmp.Or(
		cmp.Compare(r.weight, other.weight), cmp.Compare(r.specificity, other.specificity), cmp.Compare(other.place, r.place),
	) > 0
}

// MediaType returns the media type of a Content-Type field without its parameters, in lower case.
func MediaType(contentType string) string {
	mediaType, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.Trim(mediaType, space))
}
