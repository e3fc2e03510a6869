package pathtemplate

import (
	"slices"
	"strings"
)

// Tree finds the template that comes first in the order of Compare among those that match a path. Its cost depends on the path's
// length, not on how many templates there are. The zero value is an empty tree; once filled, it is safe for concurrent use.
//
// There is a root for each verb that ends a template, and one for the templates without: since the verb decides first, those of
// the path's longest verb are looked at first. Below a root, each level of nodes stands for a segment without its verb. Templates
// without "**" that match the same path have the same length, so the first one that is found, trying literals before "*", comes
// first. Only if there is none are those with "**" looked at.
type Tree[V any] struct {
	root  node[V]
	verbs map[string]*node[V]
	// longest is the length of the longest verb with its colon.
	longest int
}

type node[V any] struct {
	literals map[string]*node[V]
	wild     *node[V]
	// here is the template that ends here.
	here *entry[V]
	// deep are those that continue with "**", by what they require of the path's last segment; of one requirement in the order of
	// Compare.
	deep map[segment][]*entry[V]
}

type entry[V any] struct {
	template Template
	value    V
}

// Add puts a template into the tree. Of two with the same text, the one that was added later is found.
func (t *Tree[V]) Add(template Template, value V) {
	e := &entry[V]{template, value}
	segments := slices.Clone(template.segments)

	// What a last segment requires besides the verb; "**" requires nothing.
	last := segment{wild: true, empty: true}

	if at := len(segments) - 1; !template.deep || template.gap <= at {
		segments[at].text, _ = splitVerb(segments[at].text)
		last = segments[at]
	}

	n := t.rootOf(template.ending)

	if !template.deep {
		n = n.descend(segments)
		n.here = first(n.here, e)

		return
	}

	n.descend(segments[:template.gap]).addDeep(last, e)
}

// rootOf is where the templates are that end in a verb.
func (t *Tree[V]) rootOf(verb string) *node[V] {
	if verb == "" {
		return &t.root
	}

	if t.verbs == nil {
		t.verbs = map[string]*node[V]{}
	}

	if t.verbs[verb] == nil {
		t.verbs[verb] = &node[V]{}
	}

	t.longest = max(t.longest, len(":"+verb))

	return t.verbs[verb]
}

// first is the one of two templates that comes first.
func first[V any](known, added *entry[V]) *entry[V] {
	if known == nil || Compare(added.template, known.template) <= 0 {
		return added
	}

	return known
}

func (n *node[V]) addDeep(last segment, e *entry[V]) {
	if n.deep == nil {
		n.deep = map[segment][]*entry[V]{}
	}

	at, _ := slices.BinarySearchFunc(n.deep[last], e, func(a, b *entry[V]) int { return Compare(a.template, b.template) })
	n.deep[last] = slices.Insert(n.deep[last], at, e)
}

// descend makes the way to the node behind the segments.
func (n *node[V]) descend(segments []segment) *node[V] {
	for _, s := range segments {
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

// Find returns the value of the template that comes first among those that match an escaped path (see Template.Match).
func (t *Tree[V]) Find(escapedPath string) (V, bool) {
	var none V

	rest, absolute := strings.CutPrefix(escapedPath, "/")
	if !absolute || !wellFormed(rest) {
		return none, false
	}

	last := rest[strings.LastIndexByte(rest, '/')+1:]
	before := len(rest) - len(last)

	for at := colon(last, 0, t.longest); at >= 0; at = colon(last, at, t.longest) {
		if root := t.verbs[last[at+1:]]; root != nil {
			if e := root.search(escapedPath, rest[:before+at], last[:at]); e != nil {
				return e.value, true
			}
		}
	}

	if e := t.root.search(escapedPath, rest, last); e != nil {
		return e.value, true
	}

	return none, false
}

// search finds a template below a root. rest is the path without its first slash and the root's verb, last its last segment.
func (n *node[V]) search(path, rest, last string) *entry[V] {
	if e := n.find(rest); e != nil {
		return e
	}

	s := search[V]{path: path, last: last}
	s.walk(n, rest, false)

	return s.best
}

// find returns the first of the templates without "**" that have the rest of the path behind the node.
func (n *node[V]) find(rest string) *entry[V] {
	part, rest, more := strings.Cut(rest, "/")

	for _, next := range []*node[V]{n.literals[part], n.wildcard(part)} {
		switch {
		case next == nil:
			continue
		case !more && next.here != nil:
			return next.here
		case more:
			if e := next.find(rest); e != nil {
				return e
			}
		}
	}

	return nil
}

// wildcard is where "*" leads with a segment; nil if that is nowhere.
func (n *node[V]) wildcard(part string) *node[V] {
	if part == "" {
		return nil
	}

	return n.wild
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
	best       *entry[V]
}

// walk visits every node that can hold a template for the rest of the path; ended reports that there is none, as opposed to an
// empty last segment.
func (s *search[V]) walk(n *node[V], rest string, ended bool) {
	if n.deep != nil {
		s.consider(n.deep[segment{text: s.last}])
		s.consider(n.deep[segment{wild: true}])
		s.consider(n.deep[segment{wild: true, empty: true}])
	}

	if ended {
		return
	}

	part, rest, more := strings.Cut(rest, "/")

	for _, next := range []*node[V]{n.literals[part], n.wildcard(part)} {
		if next != nil {
			s.walk(next, rest, !more)
		}
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
