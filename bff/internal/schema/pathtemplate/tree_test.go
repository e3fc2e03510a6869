package pathtemplate_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
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

// realistic are the templates of a gateway with so many routes: twenty kinds of them per service.
func realistic(routes int) []string {
	kinds := []string{
		"/v1/svc%d/things", "/v1/svc%d/things/{id}", "/v1/svc%d/things/{id}:cancel", "/v1/svc%d/things/{id}:restore",
		"/v1/svc%d/things:search", "/v1/svc%d/things/{id}/parts", "/v1/svc%d/things/{id}/parts/{part.id}",
		"/v1/svc%d/things/{id}/parts/{part_id}:move", "/v1/svc%d/users/{user_id}/things", "/v1/svc%d/{name=shelves/*/books/*}",
		"/v1/svc%d/users/me", "/v1/svc%d/users/{id}", "/v1/svc%d/files/{path=**}", "/v1/svc%d/files/{path=**}:list", "/v1/svc%d/status",
		"/v2/svc%d/things", "/v2/svc%d/things/{id}", "/v2/svc%d/things/{id}/owner", "/v2/svc%d/things/{id}/owner/{o}", "/v2/svc%d/a/b/c/d",
	}

	templates := make([]string, 0, routes)
	for i := range routes {
		templates = append(templates, fmt.Sprintf(kinds[i%len(kinds)], i/len(kinds)))
	}

	return templates
}

// Hazard 6: a ServeMux scans its routes; here two thousand cost about what ten do.
func BenchmarkRoute(b *testing.B) {
	for _, routes := range []int{10, 200, 2000} {
		var tree pathtemplate.Tree[pathtemplate.Template]

		for _, template := range realistic(routes) {
			parsed := mustParse(b, template)
			tree.Add(parsed, parsed)
		}

		service := fmt.Sprintf("/v1/svc%d", (routes-1)/20/2)

		for name, path := range map[string]string{
			"literal": service + "/things", "variable": service + "/things/t-17", "verb": service + "/things/t-17:cancel",
			"nested": service + "/things/t-17/parts/p-4", "name": service + "/shelves/s1/books/b1",
		} {
			b.Run(fmt.Sprintf("%d/%s", routes, name), func(b *testing.B) {
				b.ReportAllocs()

				for b.Loop() {
					template, ok := tree.Find(path)
					if !ok {
						b.Fatal("not found")
					}

					template.Bind(path)
				}
			})
		}
	}
}
