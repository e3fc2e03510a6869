package pathtemplate

import (
	"slices"
	"strings"
)

// Tree finds the most specific of many templates that matches a path. Its cost depends on the path's length, not on how many
// templates there are. The zero value is an empty tree; once filled, it is safe for concurrent use.
//
// Each level of nodes stands for a segment. Templates without "**" that match the same path have the same length, so the first one
// that is found, trying literals before "*", is the most specific. Only if there is none are those with "**" looked at.
type Tree[V any] struct {
	root node[V]
	// longest is the length of the longest verb with its colon.
	longest int
}

type node[V any] struct {
	literals map[string]*node[V]
	wild     *node[V]
	// here is the template that ends here; where a "*" leads here, it has no verb.
	here *entry[V]
	// verbs are those that end here, where a "*" leads, with a verb; by the verb with its colon.
	verbs map[string]*entry[V]
	// deep are those that go on with "**", by what they demand of the path's last segment; of one demand the most specific first.
	deep map[segment][]*entry[V]
}

type entry[V any] struct {
	template Template
	value    V
}

// Add puts a template into the tree. Of two with the same text, the one that was added later is found.
func (t *Tree[V]) Add(template Template, value V) {
	e := &entry[V]{template, value}
	t.longest = max(t.longest, len(":"+template.verb))

	if template.deep {
		t.addDeep(e)

		return
	}

	n := t.root.descend(template.segments, template.verb)

	if last := template.segments[len(template.segments)-1]; !last.wild || template.verb == "" {
		n.here = first(n.here, e)

		return
	}

	if n.verbs == nil {
		n.verbs = map[string]*entry[V]{}
	}

	n.verbs[":"+template.verb] = first(n.verbs[":"+template.verb], e)
}

// first is the more specific of two templates.
func first[V any](known, added *entry[V]) *entry[V] {
	if known == nil || Compare(added.template, known.template) <= 0 {
		return added
	}

	return known
}

func (t *Tree[V]) addDeep(e *entry[V]) {
	exact := e.template.segments[:e.template.gap]
	t.root.descend(exact, "").addDeep(e)

	// Where "**" stands for no segment at all, the verb hangs on the one before it.
	if gap := e.template.gap; gap == len(e.template.segments) && gap > 0 && !exact[gap-1].wild && e.template.verb != "" {
		t.root.descend(exact, e.template.verb).addDeep(e)
	}
}

func (n *node[V]) addDeep(e *entry[V]) {
	if n.deep == nil {
		n.deep = map[segment][]*entry[V]{}
	}

	length := len(e.template.segments) + 1
	last := e.template.at(length-1, length)
	at, _ := slices.BinarySearchFunc(n.deep[last], e, func(a, b *entry[V]) int { return Compare(a.template, b.template) })
	n.deep[last] = slices.Insert(n.deep[last], at, e)
}

// descend makes the way to the node behind the segments, the last of which carries the verb.
func (n *node[V]) descend(segments []segment, verb string) *node[V] {
	for i, s := range segments {
		if i == len(segments)-1 && verb != "" {
			s.text += ":" + verb
		}

		n = n.child(s)
	}

	return n
}

func (n *node[V]) child(s segment) *node[V] {
	if s.wild {
		if n.wild == nil {
			n.wild = &node[V]{}
		}

		return n.wild
	}

	if n.literals == nil {
		n.literals = map[string]*node[V]{}
	}

	if n.literals[s.text] == nil {
		n.literals[s.text] = &node[V]{}
	}

	return n.literals[s.text]
}

// Find returns the value of the most specific template that matches an escaped path (see Template.Match).
func (t *Tree[V]) Find(escapedPath string) (V, bool) {
	rest, absolute := strings.CutPrefix(escapedPath, "/")
	if absolute && wellFormed(rest) {
		if e := t.find(&t.root, rest); e != nil {
			return e.value, true
		}

		s := search[V]{path: escapedPath, last: rest[strings.LastIndexByte(rest, '/')+1:], longest: t.longest}
		if s.walk(&t.root, rest, false); s.best != nil {
			return s.best.value, true
		}
	}

	var none V

	return none, false
}

// find returns the most specific template without "**" that has the rest of the path behind the node.
func (t *Tree[V]) find(n *node[V], rest string) *entry[V] {
	part, rest, more := strings.Cut(rest, "/")

	if next := n.literals[part]; next != nil {
		e := next.here
		if more {
			e = t.find(next, rest)
		}

		if e != nil {
			return e
		}
	}

	switch {
	case n.wild == nil || part == "":
		return nil
	case more:
		return t.find(n.wild, rest)
	default:
		return n.wild.end(part, t.longest)
	}
}

// end returns the most specific template that ends here, where a "*" leads, with such a last segment.
func (n *node[V]) end(part string, longest int) *entry[V] {
	if n.verbs != nil {
		for at := colon(part, 0, longest); at >= 0; at = colon(part, at, longest) {
			if e := n.verbs[part[at:]]; e != nil {
				return e
			}
		}
	}

	return n.here
}

// colon returns where the next possible verb of a last segment begins: a colon behind the given one and not at its beginning, with
// no more text than the longest verb has; -1 if there is none.
func colon(part string, after, longest int) int {
	start := max(after+1, len(part)-longest)
	if start >= len(part) {
		return -1
	}

	at := strings.IndexByte(part[start:], ':')
	if at < 0 {
		return -1
	}

	return start + at
}

// search looks for templates with "**".
type search[V any] struct {
	path, last string
	longest    int
	best       *entry[V]
}

// walk visits every node that can hold a template for the rest of the path; ended tells that there is none, as opposed to an empty
// last segment.
func (s *search[V]) walk(n *node[V], rest string, ended bool) {
	if n.deep != nil {
		s.visit(n)
	}

	if ended {
		return
	}

	part, rest, more := strings.Cut(rest, "/")

	if next := n.literals[part]; next != nil {
		s.walk(next, rest, !more)
	}

	if n.wild != nil && part != "" {
		s.walk(n.wild, rest, !more)
	}
}

// visit considers the templates of a node that the path's last segment allows.
func (s *search[V]) visit(n *node[V]) {
	s.consider(n.deep[segment{text: s.last}])
	s.consider(n.deep[segment{wild: true}])
	s.consider(n.deep[segment{wild: true, empty: true}])

	for at := colon(s.last, 0, s.longest); at >= 0; at = colon(s.last, at, s.longest) {
		s.consider(n.deep[segment{wild: true, text: s.last[at:]}])
	}
}

func (s *search[V]) consider(entries []*entry[V]) {
	for _, e := range entries {
		if s.best != nil && Compare(s.best.template, e.template) <= 0 {
			return
		}

		if e.template.Match(s.path) {
			s.best = e

			return
		}
	}
}
