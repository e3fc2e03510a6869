package pathtemplate

import (
	"slices"
	"strings"
)

// Samples returns paths that represent all that the template matches, except those in which a segment is empty, among templates of
// at most so many segments whose literals are shorter than a text: wherever any segment will do, that text is. A template that
// matches a sample matches every path of this template that has as many segments. Since "**" may be any number of segments, there
// is a sample of each length, up to one beyond which nothing changes.
func (t Template) Samples(most int, text string) []string {
	shortest, longest := len(t.segments), len(t.segments)
	if t.deep {
		longest += most + 1
	}

	var samples []string

	// "/" is the one path of no segments, which is one empty segment.
	if shortest == 0 && t.verb == "" {
		samples = append(samples, "/")
	}

	for length := max(shortest, 1); length <= longest; length++ {
		samples = append(samples, t.sample(length, text))
	}

	return samples
}

func (t Template) sample(length int, text string) string {
	var path strings.Builder

	for i := range length {
		want := t.at(i, length)

		path.WriteString("/")

		if want.wild {
			path.WriteString(text)
		}

		path.WriteString(want.text)
	}

	return path.String()
}

// Unreachable returns, by the index of a template that is never the first of those that match a path, the indices of those that are
// before it. Paths with empty segments do not count. There must not be two templates that match the same paths.
//
// A template without "**" is always the first for some path. One with it is not if others match what it matches, part by part:
// "/a/**" beside "/a" and "/a/*/**".
func Unreachable(templates []Template) map[int][]int {
	var (
		tree          Tree[int]
		most, longest int
	)

	for i, t := range templates {
		tree.Add(t, i)

		most, longest = max(most, len(t.segments)), max(longest, len(t.text))
	}

	// Longer than any literal.
	text := strings.Repeat("x", longest+1)
	out := map[int][]int{}

	for i, t := range templates {
		var others []int

		for _, path := range t.Samples(most, text) {
			first, _ := tree.Find(path)
			if first == i {
				others = nil

				break
			}

			others = append(others, first)
		}

		if slices.Sort(others); len(others) > 0 {
			out[i] = slices.Compact(others)
		}
	}

	return out
}
