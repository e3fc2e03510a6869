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

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// A tree with any templates finds for any path the most specific one that is called by a ServeMux on which it is registered alone, but
// for those whose "*" would be an empty segment; and Bind hands over the same variables, but for slashes (see variables).
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

	muxes := make([]*reference, len(set))
	for i, template := range set {
		muxes[i] = newReference(t, template.String())
	}

	for _, path := range w.paths() {
		got, found := tree.Find(path)
		want := ""

		if at := slices.IndexFunc(muxes, func(mux *reference) bool { return mux.matches(path) && noneEmpty(mux.template, path) }); at >= 0 {
			want = muxes[at].template
		}

		if got.String() != want || found != (want != "") {
			t.Fatalf("Find(%q) among %q = %q, but the muxes call %q", path, set, got, want)
		}

		if !found {
			continue
		}

		expected := variables(t, want, path)
		if bound := got.Bind(path); !maps.Equal(bound.Map(), expected) || (bound == nil) != (len(expected) == 0) {
			t.Fatalf("%q binds in %q %q, but the mux %q", got, path, bound, expected)
		}
	}
}

// variables are those that a mux hands over for a path that the template matches. Escaped slashes are hidden from it for variables
// that keep them, and a "**" that stands for no segment, of which it would make an empty one, is taken out of the template.
func variables(t *testing.T, template, path string) map[string]string {
	t.Helper()

	// A mux reads some verbs otherwise where "**" is gone.
	asked, path := strings.TrimSuffix(template, verb(template)), strings.TrimSuffix(path, verb(template))
	if rest := strings.Contains(template, "**"); rest && strings.Count(path, "/") < strings.Count(plain(template), "/") {
		asked = lonelyRest.ReplaceAllString(asked, "")
		asked = strings.Replace(strings.Replace(asked, "/**", "", 1), "**/", "", 1)
	}

	values := newReference(t, asked).ask(path)
	hidden := newReference(t, asked).ask(escapedSlash.ReplaceAllString(path, "%25$1"))

	if values == nil || hidden == nil {
		t.Fatalf("the mux with %q instead of %q does not match %q", asked, template, path)
	}

	for _, found := range variablePattern.FindAllStringSubmatch(template, -1) {
		name, pattern := found[1], found[2]

		switch {
		case values[name] == "":
			values[name] = ""
		case strings.Contains(pattern, "**"), allFixed(template):
			values[name] = hidden[name]
		}
	}

	return values
}

// plain is a template without its variables' names and its verb: "/v1/{name=a/*}:v" is "/v1/a/*".
func plain(template string) string {
	return variablePattern.ReplaceAllStringFunc(strings.TrimSuffix(template, verb(template)), func(variable string) string {
		if _, pattern, explicit := strings.Cut(strings.Trim(variable, "{}"), "="); explicit {
			return pattern
		}

		return "*"
	})
}

// verb is that of a template, with its colon. Empty: it has none.
func verb(template string) string {
	last := template[strings.LastIndexAny(template, "/}"):]
	if after, variable := strings.CutPrefix(last, "}"); variable {
		return after
	}

	if colon := strings.LastIndexByte(last, ':'); colon >= 0 {
		return last[colon:]
	}

	return ""
}

// noneEmpty reports whether no "*" of a template that a mux finds for a path is an empty segment of it.
func noneEmpty(template, path string) bool {
	form := regexp.QuoteMeta(plain(template))
	form = strings.ReplaceAll(form, `/\*\*`, "(?:/[^/]*)*")
	form = strings.ReplaceAll(form, `\*`, "[^/]+")

	// The verb is a part of the last segment, and not all of it: the mux sees to that.
	return regexp.MustCompile("^" + form + "(?::[^/]*)?$").MatchString(path)
}

// reference is a mux with one template, with the defaults switched off that let a client choose another handler than the path and the
// method say, and what it handed over last.
type reference struct {
	mux       *runtime.ServeMux
	template  string
	variables map[string]string
}

func newReference(t *testing.T, template string) *reference {
	t.Helper()

	r := &reference{template: template, mux: runtime.NewServeMux(
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

	err := r.mux.HandlePath(http.MethodGet, template, func(_ http.ResponseWriter, _ *http.Request, values map[string]string) {
		r.variables = values
	})
	if err != nil {
		t.Fatalf("the mux refuses %q: %v", template, err)
	}

	return r
}

func (r *reference) matches(path string) bool { return r.ask(path) != nil }

// ask returns the variables that the mux hands over for a path; nil if it does not match.
func (r *reference) ask(path string) map[string]string {
	r.variables = nil
	r.mux.ServeHTTP(nil, &http.Request{Method: http.MethodGet, URL: &url.URL{Path: path, RawPath: path}})

	return r.variables
}

var (
	escapedSlash    = regexp.MustCompile(`%(2[Ff])`)
	variablePattern = regexp.MustCompile(`\{([^{}=]+)(?:=([^{}]*))?\}`)
	// lonelyRest is a segment of a template that is a variable with nothing but "**".
	lonelyRest = regexp.MustCompile(`/\{[^{}=]+=\*\*\}`)
)

// allFixed reports whether all variables of a template hold several segments, of a number that is known.
func allFixed(template string) bool {
	variables := variablePattern.FindAllStringSubmatch(template, -1)

	return len(variables) > 0 && !slices.ContainsFunc(variables, func(found []string) bool {
		return !strings.Contains(found[2], "/") || strings.Contains(found[2], "**")
	})
}
