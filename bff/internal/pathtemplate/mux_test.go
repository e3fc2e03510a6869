package pathtemplate_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/portico-gateway/portico/bff/internal/pathtemplate"
)

// A tree with any templates finds for any path what a ServeMux on which they are registered, the most specific last, so that it is
// tried first, calls; and Bind hands over the same variables.
func FuzzTreeAgainstServeMux(f *testing.F) {
	for _, seed := range randomWorlds(20) {
		f.Add(seed.set, seed.path, seed.text)
	}

	f.Fuzz(func(t *testing.T, set, path []byte, text string) { world{set, path, text}.compare(t) })
}

func TestTreeIsTheMuxs(t *testing.T) {
	t.Parallel()

	const worlds = 5000

	for _, w := range randomWorlds(worlds) {
		w.compare(t)
	}
}

// world is a set of templates and some paths, written as bytes that each choose a piece of them. The text stands in the last path as
// it is.
type world struct {
	set, path []byte
	text      string
}

func randomWorlds(number int) []world {
	random := rand.New(rand.NewPCG(3, 4))
	choose := func(most int) []byte {
		chosen := make([]byte, random.IntN(most))
		for i := range chosen {
			chosen[i] = byte(random.Uint32())
		}

		return chosen
	}

	worlds := make([]world, number)
	for i := range worlds {
		worlds[i] = world{set: choose(60), path: choose(6), text: parts[random.IntN(len(parts))]}
	}

	return worlds
}

// pieces are segments of templates, the variables still without a number; ends are what may follow the last one.
var (
	pieces = []string{
		"a", "b", "a:v", "*", "**", "{v}", "{v=*}", "{v=a}", "{v=a:v}", "{v=:v}", "{v=a/*}", "{v=*/b}", "{v=*/*}", "{v=**}", "{v=a/**}",
		"{v=**/b}", "{v=*/**/a}", "{v=*/**}", "{v=a/**/*/*}",
	}
	ends = []string{"", "", "", ":v", ":w:v", ":w"}
)

// templates are the set's, in order of precedence.
func (w world) templates() []pathtemplate.Template {
	const most = 24

	var (
		set  []pathtemplate.Template
		text strings.Builder
	)

	for i, b := range w.set {
		n := int(b)
		if n < len(pieces)*len(ends)*2 && n%2 == 0 && text.Len() > 0 {
			text.WriteString(ends[n/2%len(ends)])

			template, err := pathtemplate.Parse(text.String())
			if err == nil && len(set) < most && !slices.ContainsFunc(set, func(other pathtemplate.Template) bool {
				return pathtemplate.Compare(other, template) == 0
			}) {
				set = append(set, template)
			}

			text.Reset()
		}

		text.WriteString("/" + strings.Replace(pieces[n%len(pieces)], "{v", fmt.Sprintf("{v%d", i), 1))
	}

	slices.SortFunc(set, pathtemplate.Compare)

	return set
}

// paths are one that is long and all that it begins with, as they stand in request lines.
func (w world) paths() []string {
	const most = 12

	var paths []string

	path := ""

	for _, b := range w.path[:min(len(w.path), most)] {
		n := int(b)
		if n >= len(parts) {
			// Mostly what templates are made of.
			n %= 9
		}

		path += "/" + parts[n]
		paths = append(paths, path)
	}

	return append(paths, path+"/"+w.text)
}

func (w world) compare(t *testing.T) {
	t.Helper()

	var tree pathtemplate.Tree[pathtemplate.Template]

	set := w.templates()
	for _, template := range set {
		tree.Add(template, template)
	}

	mux := newReference(t, set)

	for _, path := range w.paths() {
		got, found := tree.Find(path)
		want, variables := mux.ask(path)

		if got.String() != want || found != (want != "") {
			t.Fatalf("Find(%q) among %q = %q, but the mux calls %q", path, set, got, want)
		}

		if !found {
			continue
		}

		if allFixed(want) {
			alone := newReference(t, []pathtemplate.Template{got})
			_, variables = alone.ask(escapedSlash.ReplaceAllString(path, "%25$1"))
		}

		if bound := got.Bind(path); !maps.Equal(bound, variables) || (bound == nil) != (len(variables) == 0) {
			t.Fatalf("%q binds in %q %q, but the mux %q", got, path, bound, variables)
		}
	}
}

// reference is a mux, with the defaults switched off that let a client choose another handler than the path and the method say, and
// what it called last.
type reference struct {
	mux       *runtime.ServeMux
	template  string
	variables map[string]string
}

func newReference(t *testing.T, set []pathtemplate.Template) *reference {
	t.Helper()

	r := &reference{mux: runtime.NewServeMux(
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithErrorHandler(
			func(context.Context, *runtime.ServeMux, runtime.Marshaler, http.ResponseWriter, *http.Request, error) {
			},
		),
		runtime.WithRoutingErrorHandler(
			func(context.Context, *runtime.ServeMux, runtime.Marshaler, http.ResponseWriter, *http.Request, int) {},
		),
	)}

	for _, template := range slices.Backward(set) {
		err := r.mux.HandlePath(http.MethodGet, template.String(), func(_ http.ResponseWriter, _ *http.Request, values map[string]string) {
			r.template, r.variables = template.String(), values
		})
		if err != nil {
			t.Fatalf("the mux refuses %q: %v", template, err)
		}
	}

	return r
}

// ask returns what the mux calls for a path, and the variables that it hands over.
func (r *reference) ask(path string) (template string, variables map[string]string) {
	r.template, r.variables = "", nil
	r.mux.ServeHTTP(nil, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawPath: path}})

	return r.template, r.variables
}

var (
	escapedSlash    = regexp.MustCompile(`%(2[Ff])`)
	variablePattern = regexp.MustCompile(`\{[^{}=]+(?:=([^{}]*))?\}`)
)

// allFixed tells whether all variables of a template hold several segments, of a number that is known.
func allFixed(template string) bool {
	variables := variablePattern.FindAllStringSubmatch(template, -1)

	return len(variables) > 0 && !slices.ContainsFunc(variables, func(found []string) bool {
		return !strings.Contains(found[1], "/") || strings.Contains(found[1], "**")
	})
}
