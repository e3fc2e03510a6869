package schema_test

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// What the check says and what the tree does agree: among routes that pass, the one that a path is for has the longer verb or is the
// more specific one, whatever the order in which they are added, and each is for some path; and what is reported as unreachable is for
// none.
func FuzzCheckAgreesWithTree(f *testing.F) {
	random := rand.New(rand.NewPCG(5, 6))

	for range 50 {
		set := make([]byte, 4+random.IntN(30))
		for i := range set {
			set[i] = byte(random.Uint32())
		}

		f.Add(set)
	}

	f.Fuzz(func(t *testing.T, set []byte) { agree(t, routesFrom(set)) })
}

func TestCheckAgreesWithTree(t *testing.T) {
	t.Parallel()

	random := rand.New(rand.NewPCG(7, 8))
	passed, hidden := 0, 0

	for range 1500 {
		set := make([]byte, 4+random.IntN(24))
		for i := range set {
			set[i] = byte(random.Uint32())
		}

		switch err := agree(t, routesFrom(set)); {
		case err == nil:
			passed++
		case errors.Is(err, schema.ErrUnreachable):
			hidden++
		}
	}

	if passed < 200 || hidden < 3 {
		t.Errorf("of the sets %d passed and %d had an unreachable route: too few to say anything", passed, hidden)
	}
}

// maxSegments is how many slashes a template of routesFrom has at most.
const maxSegments = 4

// routesFrom makes a few routes of bytes that each choose a segment or the end of a template.
func routesFrom(set []byte) []schema.Route {
	const most = 6

	segments := []string{"a", "a", "b", "*", "*", "**", "**", "a:v", "{x=a/**}", "{x=*/**}", "{x=b:v}"}
	ends := []string{"", "", "", "", ":v", ":w:v"}

	var (
		routes []schema.Route
		text   strings.Builder
	)

	for _, b := range set {
		n := int(b)
		if n%3 == 0 && text.Len() > 0 {
			text.WriteString(ends[n/3%len(ends)])

			if template, err := pathtemplate.Parse(text.String()); err == nil && len(routes) < most && strings.Count(text.String(), "/") <= maxSegments {
				routes = append(routes, schema.Route{Method: http.MethodGet, Template: template, RPC: template.String()})
			}

			text.Reset()
		}

		text.WriteString("/" + segments[n%len(segments)])
	}

	return routes
}

// world are short paths that can tell the templates apart, without empty segments: z is none of their literals.
var world = func() []string {
	const longest = 3

	all, paths := []string{"/"}, []string{""}

	for range longest {
		var longer []string

		for _, path := range paths {
			for _, part := range []string{"a", "b", "z", "a:v", "b:v"} {
				longer = append(longer, path+"/"+part)
			}
		}

		paths = longer
		for _, path := range paths {
			all = append(all, path, path+":v", path+":w:v", path+":x")
		}
	}

	return all
}()

func agree(t *testing.T, routes []schema.Route) error {
	t.Helper()

	err := schema.CheckRoutes(routes)
	if errors.Is(err, schema.ErrAmbiguous) {
		return err
	}

	unreachable := map[string]bool{}
	for _, hidden := range schema.UnreachableRoutes(routes) {
		unreachable[hidden.Route.RPC] = true
	}

	if (err != nil) != (len(unreachable) > 0) {
		t.Fatalf("%v, but unreachable are %v", err, unreachable)
	}

	reached, paths := map[string]bool{}, slices.Clone(world)

	for _, r := range routes {
		paths = append(paths, r.Template.Samples(len(routes)*maxSegments, "z")...)
	}

	for range 2 {
		slices.Reverse(routes)

		var tree pathtemplate.Tree[schema.Route]
		for _, r := range routes {
			tree.Add(r.Template, r)
		}

		for _, path := range paths {
			winner, found := tree.Find(path)
			reached[winner.RPC] = true

			judge(t, routes, path, winner, found)
		}
	}

	for _, r := range routes {
		if reached[r.RPC] == unreachable[r.RPC] {
			t.Fatalf("of %v, %s is reached: %v, but is reported as unreachable: %v", routes, r, reached[r.RPC], unreachable[r.RPC])
		}
	}

	return err
}

func judge(t *testing.T, routes []schema.Route, path string, winner schema.Route, found bool) {
	t.Helper()

	for _, r := range routes {
		if !r.Template.Match(path) || r.RPC == winner.RPC {
			continue
		}

		verb := len(ending(winner.Template)) > len(ending(r.Template))
		if relation := pathtemplate.Relate(winner.Template, r.Template); !found || relation != pathtemplate.ASubset && !verb {
			t.Fatalf("%s is for %q (%v) rather than for %q: they are %s", path, winner, found, r, relation)
		}
	}
}

// ending is the verb of all paths of a template.
func ending(template pathtemplate.Template) string {
	last := template.String()
	last = strings.TrimLeft(last[strings.LastIndexAny(last, "/=")+1:], "{")
	_, verb, _ := strings.Cut(strings.ReplaceAll(last, "}", ""), ":")

	return verb
}
