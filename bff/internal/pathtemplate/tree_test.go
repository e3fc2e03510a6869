package pathtemplate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/pathtemplate"
)

// A tree finds what trying all templates, the most specific first, would find.
func TestTreeFindsWhatAScanFinds(t *testing.T) {
	t.Parallel()

	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }

	for range 2000 {
		var (
			tree      pathtemplate.Tree[string]
			templates []pathtemplate.Template
		)

		for range 1 + random.IntN(8) {
			var parts []string

			deep := false
			for i := range 1 + random.IntN(4) {
				part := pick("a", "b", "*", fmt.Sprintf("{v%d}", i), fmt.Sprintf("{w%d=a/*}", i), "**")
				if part == "**" {
					if deep {
						part = "a"
					}

					deep = true
				}

				parts = append(parts, part)
			}

			template, err := pathtemplate.Parse("/" + strings.Join(parts, "/") + pick("", "", ":x"))
			if err != nil {
				continue
			}

			if slices.ContainsFunc(templates, func(other pathtemplate.Template) bool {
				return pathtemplate.Compare(other, template) == 0
			}) {
				continue
			}

			templates = append(templates, template)
			tree.Add(template, template.String())
		}

		slices.SortFunc(templates, pathtemplate.Compare)

		for range 30 {
			var parts []string
			for range random.IntN(5) {
				parts = append(parts, pick("a", "b", "c", "", "%61", "a:x", "c:x", ":x"))
			}

			path := "/" + strings.Join(parts, "/")

			want := ""
			if i := slices.IndexFunc(templates, func(t pathtemplate.Template) bool { return t.Match(path) }); i >= 0 {
				want = templates[i].String()
			}

			if got, _ := tree.Find(path); got != want {
				t.Fatalf("Find(%q) among %v = %q, want %q", path, templates, got, want)
			}
		}
	}
}

// Hazard 6: a ServeMux scans its routes; here two thousand cost about what ten do.
func BenchmarkTreeFind(b *testing.B) {
	for _, routes := range []int{10, 200, 2000} {
		var tree pathtemplate.Tree[int]

		for i := range routes {
			tree.Add(mustParse(b, fmt.Sprintf("/v1/things%d/{id}/parts/{part}", i)), i)
		}

		path := fmt.Sprintf("/v1/things%d/x/parts/y", routes/2)

		b.Run(fmt.Sprintf("routes=%d", routes), func(b *testing.B) {
			for b.Loop() {
				if _, ok := tree.Find(path); !ok {
					b.Fatal("not found")
				}
			}
		})
	}
}
