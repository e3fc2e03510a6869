package pathtemplate

import (
	"cmp"
	"strings"
)

// Relation says how the paths that a template matches relate to those of another.
type Relation string

// The relations of template a to template b.
const (
	// Disjoint: no path matches both.
	Disjoint Relation = "disjoint"
	// Equal: the same paths match both, whatever the variables are called.
	Equal Relation = "equal"
	// ASubset: each path that matches a matches b, but not the other way round.
	ASubset Relation = "first in second"
	// BSubset: each path that matches b matches a, but not the other way round.
	BSubset Relation = "second in first"
	// Overlap: some paths match both, others only a, others only b. Neither is more specific.
	Overlap Relation = "overlap"
)

// Relate compares the sets of paths that two templates match. To a template without a verb a colon is plain text, as the mux
// does, so "/v1/orders/{id}:cancel" is a subset of "/v1/orders/{id}".
//
// Among paths of one length a template requires something of each segment on its own, so the templates are compared segment by
// segment, for every length up to one at which the two "**" have a segment in common. More of those change nothing.
func Relate(a, b Template) Relation {
	var both, onlyA, onlyB bool

	for length := 1; length <= len(a.segments)+len(b.segments)+1; length++ {
		inA, inB := a.fits(length), b.fits(length)
		if !inA || !inB {
			onlyA, onlyB = onlyA || inA, onlyB || inB

			continue
		}

		meet, aInB, bInA := relateAt(a, b, length)
		both, onlyA, onlyB = both || meet, onlyA || !aInB, onlyB || !bInA
	}

	return relation(both, onlyA, onlyB)
}

// relation names what paths there are: that match both templates, only the one, only the other.
func relation(both, onlyA, onlyB bool) Relation {
	switch {
	case !both:
		return Disjoint
	case onlyA && onlyB:
		return Overlap
	case onlyA:
		return BSubset
	case onlyB:
		return ASubset
	default:
		return Equal
	}
}

// relateAt compares paths of one length: does any match both templates, and are all of one's the other's, too?
func relateAt(a, b Template, length int) (meet, aInB, bInA bool) {
	meet, aInB, bInA = true, true, true

	for i := range length {
		x, y := a.at(i, length), b.at(i, length)
		xInY, yInX := y.covers(x), x.covers(y)
		meet, aInB, bInA = meet && (xInY || yInX), aInB && xInY, bInA && yInX
	}

	return meet, aInB, bInA
}

// Compare orders templates so that one that matches a subset of another's paths comes before it, and is 0 only for the same text.
// What counts is, in this order: a verb (the longer one), no "**", more segments, literals before "*" from left to right, "*"
// beside "**" and rather before than after it, the text.
//
// The verb comes first, as in Google's transcoder: "/{x=**}:lock" is for "/users/7:lock" rather than "/users/{id}".
func Compare(a, b Template) int {
	return cmp.Or(
		cmp.Compare(len(b.ending), len(a.ending)),
		compareBool(!a.deep, !b.deep),
		// "/**" matches no path shorter than "/**/*" does, since every path has a segment; and "/**:v" none that "/**/*" does not.
		cmp.Compare(max(len(b.segments), 1), max(len(a.segments), 1)),
		compareKinds(a.segments, b.segments),
		cmp.Compare(len(b.verb), len(a.verb)),
		cmp.Compare(len(b.segments), len(a.segments)),
		cmp.Compare(b.gap, a.gap),
		strings.Compare(a.text, b.text),
	)
}

func compareKinds(a, b []segment) int {
	for i := range min(len(a), len(b)) {
		if c := compareBool(!a[i].wild, !b[i].wild); c != 0 {
			return c
		}
	}

	// Of different lengths are only "/**" and one with a single segment; the former is like "/**/*".
	return compareBool(literalFirst(a), literalFirst(b))
}

func literalFirst(segments []segment) bool { return len(segments) > 0 && !segments[0].wild }

// compareBool puts true first.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	default:
		return 1
	}
}
