package pathtemplate_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

func TestRelate(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, a, b string
		want       pathtemplate.Relation
	}{
		{"other-names", "/v1/{a}/x", "/v1/{b=*}/x", pathtemplate.Equal},
		{"verb-as-literal", "/v1/a:v", "/v1/{x=a:v}", pathtemplate.Equal},
		{"verb-of-nothing-as-literal", "/v1/{x=:v}", "/v1/{x}:v", pathtemplate.Disjoint},
		{"not-empty-at-either-end", "/**/*", "/*/**", pathtemplate.Overlap},
		{"not-empty-at-the-beginning", "/*/**", "/**", pathtemplate.ASubset},
		{"not-empty-at-the-end", "/**/*", "/**", pathtemplate.ASubset},
		{"root-is-an-empty-rest", "/", "/**", pathtemplate.ASubset},
		{"root-is-no-variable", "/", "/{x}", pathtemplate.Disjoint},
		{"verb-is-not-empty", "/**:v", "/**/*", pathtemplate.ASubset},
		{"other-literals", "/v1/users", "/v1/orders", pathtemplate.Disjoint},
		{"other-lengths", "/v1/users", "/v1/users/{id}", pathtemplate.Disjoint},
		{"other-verbs", "/v1/{a}:x", "/v1/{a}:y", pathtemplate.Disjoint},
		{"literal-in-variable", "/v1/users/me", "/v1/users/{id}", pathtemplate.ASubset},
		{"variable-around-literal", "/v1/users/{id}", "/v1/users/me", pathtemplate.BSubset},
		{"verb-is-plain-text-without-one", "/v1/orders/{id}:cancel", "/v1/orders/{id}", pathtemplate.ASubset},
		{"longer-verb", "/v1/{a}:x:y", "/v1/{a}:y", pathtemplate.ASubset},
		{"rest-around-none", "/v1/files", "/v1/files/{p=**}", pathtemplate.ASubset},
		{"rest-around-more", "/v1/files/{a}/{b}", "/v1/files/{p=**}", pathtemplate.ASubset},
		{"rest-in-all", "/**/a", "/**", pathtemplate.ASubset},
		{"rest-may-begin-empty", "/**/a", "/*/**", pathtemplate.Overlap},
		{"rest-with-verb-needs-it-for-none", "/x/**:v", "/x/**", pathtemplate.Overlap},
		{"crossed", "/v1/{a}/x", "/v1/y/{b}", pathtemplate.Overlap},
		{"crossed-rests", "/a/**", "/**/b", pathtemplate.Overlap},
		{"crossed-by-verb", "/v1/x/{b}", "/v1/{a}/{b}:v", pathtemplate.Overlap},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := pathtemplate.Relate(mustParse(t, tt.a), mustParse(t, tt.b)); got != tt.want {
				t.Errorf("%s and %s: got %s, want %s", tt.a, tt.b, got, tt.want)
			}
		})
	}
}

// In a small world, where all paths that can tell the templates apart are known, Relate says what Match says, and Compare puts the
// subset first.
func TestRelateIsWhatMatchSays(t *testing.T) {
	t.Parallel()

	const longest = 4

	world := allPaths([]string{"", "a", "b", "a:v", "b:v", "z:v", ":v", "a:w:v", "z:w:v"}, longest)
	parsed := make([]pathtemplate.Template, len(templates))
	matches := make([][]bool, len(templates))

	for i, template := range templates {
		parsed[i] = mustParse(t, template)
		for _, path := range world {
			matches[i] = append(matches[i], parsed[i].Match(path))
		}
	}

	for i, a := range parsed {
		for j, b := range parsed {
			got, want := pathtemplate.Relate(a, b), observe(matches[i], matches[j])
			if got != want {
				t.Errorf("%s and %s: got %s, but they are %s", a, b, got, want)
			}

			order := pathtemplate.Compare(a, b)
			if want == pathtemplate.ASubset && order >= 0 || want == pathtemplate.BSubset && order <= 0 {
				t.Errorf("%s and %s: %s, but Compare says %d", a, b, want, order)
			}
		}
	}
}

func observe(a, b []bool) pathtemplate.Relation {
	var both, onlyA, onlyB bool

	for i := range a {
		both = both || a[i] && b[i]
		onlyA = onlyA || a[i] && !b[i]
		onlyB = onlyB || !a[i] && b[i]
	}

	switch {
	case !both:
		return pathtemplate.Disjoint
	case onlyA && onlyB:
		return pathtemplate.Overlap
	case onlyA:
		return pathtemplate.BSubset
	case onlyB:
		return pathtemplate.ASubset
	default:
		return pathtemplate.Equal
	}
}

// Random pairs, longer than the small world has them.
func FuzzRelate(f *testing.F) {
	for i, a := range templates {
		f.Add(a, templates[(i*7+3)%len(templates)], "/a/b/z:v")
	}

	f.Fuzz(func(t *testing.T, first, second, path string) {
		a, errA := pathtemplate.Parse(first)
		b, errB := pathtemplate.Parse(second)

		if errA != nil || errB != nil {
			return
		}

		inA, inB := a.Match(path), b.Match(path)
		relation, order := pathtemplate.Relate(a, b), pathtemplate.Compare(a, b)

		switch {
		case relation == pathtemplate.Disjoint && inA && inB,
			relation == pathtemplate.Equal && inA != inB,
			relation == pathtemplate.ASubset && (inA && !inB || order >= 0),
			relation == pathtemplate.BSubset && (inB && !inA || order <= 0):
			t.Errorf("%q and %q: %s and Compare %d, but %q matches the first: %v, the second: %v",
				a, b, relation, order, path, inA, inB)
		}

		if order != -pathtemplate.Compare(b, a) || (order == 0) != (first == second) {
			t.Errorf("Compare(%q, %q) is %d, the other way round %d", a, b, order, pathtemplate.Compare(b, a))
		}
	})
}

func TestCompareIsTransitive(t *testing.T) {
	t.Parallel()

	parsed := make([]pathtemplate.Template, len(templates))
	for i, template := range templates {
		parsed[i] = mustParse(t, template)
	}

	slices.SortFunc(parsed, pathtemplate.Compare)

	for i, a := range parsed {
		for _, b := range parsed[i+1:] {
			if pathtemplate.Compare(a, b) >= 0 {
				t.Errorf("%s stands before %s, but Compare says %d", a, b, pathtemplate.Compare(a, b))
			}
		}
	}
}

func TestCompareOrder(t *testing.T) {
	t.Parallel()

	want := []string{
		"/v1/users/{id}:lock:now", "/v1/users/me:lock", "/v1/users/{id}:lock", "/v1/{path=**}:list",
		"/v1/users/me", "/v1/users/{id}", "/v1/{kind}/{id}", "/v1/users", "/v1/{path=**}/raw", "/v1/{path=**}",
	}

	parsed := make([]pathtemplate.Template, 0, len(want))
	for _, template := range want {
		parsed = append(parsed, mustParse(t, template))
	}

	slices.Reverse(parsed)
	slices.SortFunc(parsed, pathtemplate.Compare)

	got := make([]string, 0, len(want))
	for _, template := range parsed {
		got = append(got, template.String())
	}

	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
