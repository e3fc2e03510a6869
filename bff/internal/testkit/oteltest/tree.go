package oteltest

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Of returns the spans of a trace; of all, if the id is empty.
func Of(spans []Span, traceID string) []Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return traceID != "" && s.Trace != traceID })
}

// Named returns the spans with a name.
func Named(spans []Span, name string) []Span {
	return slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return s.Name != name })
}

// HasRoot is for Wait: the span of the request itself has arrived, which ends last.
func HasRoot(spans []Span) bool {
	return slices.ContainsFunc(spans, func(s Span) bool { return s.Kind == "SERVER" })
}

// Connected wants the spans to be one trace, with one root whose parent is the given one (or none), and the parents of all others
// among them.
func Connected(tb testing.TB, spans []Span, parent string) {
	tb.Helper()

	ids := map[string]bool{}
	for _, s := range spans {
		ids[s.ID] = true
	}

	roots := 0

	for _, s := range spans {
		switch {
		case s.Trace != spans[0].Trace:
			tb.Errorf("%q is of another trace", s.Name)
		case ids[s.Parent]:
		case s.Parent == parent:
			roots++
		default:
			tb.Errorf("the parent of %q is not there", s.Name)
		}
	}

	if roots != 1 {
		tb.Errorf("%d roots:\n%s", roots, Tree(spans))
	}
}

// Tree writes the spans as a tree, one a line, with the attributes given: what a test compares. Siblings are in alphabetical order.
func Tree(spans []Span, attributes ...string) string {
	var out strings.Builder

	ids := map[string]bool{}
	for _, s := range spans {
		ids[s.ID] = true
	}

	var write func(parent func(Span) bool, indent string)

	write = func(below func(Span) bool, indent string) {
		children := slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return !below(s) })
		lines := map[string][]Span{}

		for _, s := range children {
			line := line(s, attributes)
			lines[line] = append(lines[line], s)
		}

		for _, text := range slices.Sorted(maps.Keys(lines)) {
			slices.SortFunc(lines[text], func(a, b Span) int { return cmp.Compare(a.ID, b.ID) })

			for _, s := range lines[text] {
				out.WriteString(indent + text + "\n")
				write(func(other Span) bool { return other.Parent == s.ID }, indent+"  ")
			}
		}
	}
	write(func(s Span) bool { return !ids[s.Parent] }, "")

	return out.String()
}

func line(s Span, attributes []string) string {
	words := []string{s.Name}

	for _, name := range attributes {
		if value, ok := s.Attributes[name]; ok {
			words = append(words, name+"="+value)
		}
	}

	return strings.Join(words, " ")
}
