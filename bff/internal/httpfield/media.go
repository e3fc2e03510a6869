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

// Param is the value of a parameter; its name is in lower case. Empty: there is none.
func (m MediaRange) Param(name string) string {
	_, params := parameters(m.element)
	for known, value := range params {
		if known == name {
			return value
		}
	}

	return ""
}

// Accept are the media ranges of an Accept field.
func Accept(lines []string) iter.Seq[MediaRange] {
	return func(yield func(MediaRange) bool) {
		for element := range Elements(lines) {
			value, w, ok := weighted(element)
			// As "*/*" is meant, of Java.
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

// Negotiate returns the offered media type that an Accept field likes best: by the weight of the range that names it most exactly,
// then by how exactly that does, then by its place in the field, then by the order of the offers. Parameters of ranges are passed
// over. An empty text means that it accepts none. A field without anything that can be read accepts all.
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

// rating is what a field says about an offer.
type rating struct {
	weight Weight
	// specificity is how exactly the range names the offer, and place where in the field it is.
	specificity, place int
}

func (r rating) better(other rating) bool {
	return cmp.Or(
		cmp.Compare(r.weight, other.weight), cmp.Compare(r.specificity, other.specificity), cmp.Compare(other.place, r.place),
	) > 0
}

// MediaType is the media type of a Content-Type field without its parameters, in lower case.
func MediaType(contentType string) string {
	mediaType, _, _ := strings.Cut(contentType, ";")

	return strings.ToLower(strings.Trim(mediaType, space))
}
