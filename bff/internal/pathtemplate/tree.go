package pathtemplate

import (
	"slices"
	"strings"
)

// Tree finds the most specific of many templates that matches a path. Its cost depends on the path's length, not on how many
// templates there are. The zero value is an empty tree; once filled, it is safe for concurrent use.
type Tree[V any] struct{ root node[V] }

type node[V any] struct {
	literals map[string]*node[V]
	wild     *node[V]
	// here are the templates that end here; deep those that go on with "**".
	here, deep []entry[V]
}

type entry[V any] struct {
	template Template
	value    V
}

// Add puts a template into the tree. Of two that match the same paths, the one that was added later is found.
func (t *Tree[V]) Add(template Template, value V) {
	e := entry[V]{template, value}

	if !template.deep {
		n := t.root.descend(template.segments, template.verb)
		n.here = insert(n.here, e)

		return
	}

	exact := template.segments[:template.gap]
	n := t.root.descend(exact, "")
	n.deep = insert(n.deep, e)

	// Where "**" stands for no segment at all, the verb hangs on the one before it.
	if template.gap == len(template.segments) && template.gap > 0 && template.verb != "" {
		n = t.root.descend(exact, template.verb)
		n.deep = insert(n.deep, e)
	}
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

// insert keeps the entries in order, the most specific first and a later one before its equals.
func insert[V any](entries []entry[V], e entry[V]) []entry[V] {
	at, _ := slices.BinarySearchFunc(entries, e, func(a, b entry[V]) int { return Compare(a.template, b.template) })

	return slices.Insert(entries, at, e)
}

// Find returns the value of the most specific template that matches an escaped path (see Template.Match).
func (t *Tree[V]) Find(escapedPath string) (V, bool) {
	search := search[V]{path: escapedPath}

	if rest, absolute := strings.CutPrefix(escapedPath, "/"); absolute {
		search.walk(&t.root, rest, false)
	}

	if search.best == nil {
		var none V

		return none, false
	}

	return search.best.value, true
}

type search[V any] struct {
	path string
	best *entry[V]
}

// walk visits every node that can hold a template for the rest of the path; ended tells that there is none, as opposed to an empty
// last segment.
func (s *search[V]) walk(n *node[V], rest string, ended bool) {
	s.consider(n.deep)

	if ended {
		s.consider(n.here)

		return
	}

	part, rest, more := strings.Cut(rest, "/")

	if next := n.literals[part]; next != nil {
		s.walk(next, rest, !more)
	}

	if n.wild != nil {
		s.walk(n.wild, rest, !more)
	}
}

func (s *search[V]) consider(entries []entry[V]) {
	for i := range entries {
		e := &entries[i]
		if s.best != nil && Compare(s.best.template, e.template) <= 0 {
			return
		}

		if e.template.Match(s.path) {
			s.best = e

			return
		}
	}
}
