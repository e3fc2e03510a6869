package pathtemplate_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// The cases of Google's own transcoder (grpc-httpjson-transcoding, path_matcher_test): which template a path is for, and what its
// variables hold. In any order of declaration the same wins here, but that slashes at the end of a path are not taken off.
func TestPrecedenceIsGoogles(t *testing.T) {
	t.Parallel()

	type values = map[string]string

	for _, tt := range []struct {
		name      string
		templates []string
		// want are the templates of paths, empty for none.
		want map[string]string
		// bound are the variables of some of them.
		bound map[string]values
	}{
		{
			"rest_is_the_root_too",
			[]string{"/**"},
			map[string]string{"/": "/**", "/a": "/**", "/a/": "/**"},
			nil,
		},
		{
			"wildcards",
			[]string{"/a/**", "/b/*", "/c/*/d/**", "/c/*/d/e", "/c/f/d/e", "/"},
			map[string]string{
				"/a/b": "/a/**", "/a/b/c": "/a/**", "/b/c": "/b/*", "b/c/d": "", "/c/u/d/v": "/c/*/d/**", "/c/v/d/w/x": "/c/*/d/**",
				"/c/x/y/d/z": "", "/c//v/d/w/x": "", "/c/x/d/e": "/c/*/d/e", "/c/f/d/e": "/c/f/d/e", "/": "/",
			},
			nil,
		},
		{
			"variables",
			[]string{
				"/a/{x}/c/d/e", "/{x=a/*}/b/{y=*}/c", "/a/{x=b/*}/{y=d/**}", "/alpha/{x=*}/beta/{y=**}/gamma", "/{x=*}/a",
				"/{x=**}/a/b", "/a/b/{x=*}", "/a/b/c/{x=**}", "/{x=*}/d/e/f/{y=**}",
			},
			map[string]string{
				"/a/book/c/d/e": "/a/{x}/c/d/e", "/a/hello/b/world/c": "/{x=a/*}/b/{y=*}/c",
				"/a/b/zoo/d/animal/tiger": "/a/{x=b/*}/{y=d/**}", "/alpha/dog/beta/eat/bones/gamma": "/alpha/{x=*}/beta/{y=**}/gamma",
				"/foo/a": "/{x=*}/a", "/foo/bar/a/b": "/{x=**}/a/b", "/a/b/foo": "/a/b/{x=*}", "/a/b/c/foo/bar/baz": "/a/b/c/{x=**}",
				"/foo/d/e/f/bar/baz": "/{x=*}/d/e/f/{y=**}",
			},
			map[string]values{
				"/a/hello/b/world/c": {"x": "a/hello", "y": "world"}, "/a/b/zoo/d/animal/tiger": {"x": "b/zoo", "y": "d/animal/tiger"},
				"/alpha/dog/beta/eat/bones/gamma": {"x": "dog", "y": "eat/bones"}, "/foo/bar/a/b": {"x": "foo/bar"},
				"/foo/d/e/f/bar/baz": {"x": "foo", "y": "bar/baz"},
			},
		},
		{
			"verb_of_all_paths",
			[]string{"/person", "/person/{id=*}", "/{x=**}:verb"},
			map[string]string{
				"/person:verb": "/{x=**}:verb", "/person/jason:verb": "/{x=**}:verb", "/animal:verb": "/{x=**}:verb",
				"/animal/cat:verb": "/{x=**}:verb", "/person": "/person", "/person/jason": "/person/{id=*}", "/animal": "",
				"/animal/cat": "", "/person:other": "", "/person/jason:other": "/person/{id=*}", "/animal:other": "", "/animal/cat:other": "",
			},
			map[string]values{
				"/person:verb": {"x": "person"}, "/person/jason:verb": {"x": "person/jason"}, "/person/jason:other": {"id": "jason:other"},
			},
		},
		{
			"variables_with_verb",
			[]string{
				"/a/{y=*}:verb", "/a/{y=d/**}:verb", "/{x=*}/a:verb", "/{x=**}/b:verb", "/e/{x=*}/f:verb", "/g/{x=**}/h:verb",
			},
			map[string]string{
				"/a/world:verb": "/a/{y=*}:verb", "/a/d/animal/tiger:verb": "/a/{y=d/**}:verb", "/foo/a:verb": "/{x=*}/a:verb",
				"/foo/bar/baz/b:verb": "/{x=**}/b:verb", "/e/foo/f:verb": "/e/{x=*}/f:verb", "/g/foo/bar/h:verb": "/g/{x=**}/h:verb",
			},
			map[string]values{"/a/d/animal/tiger:verb": {"y": "d/animal/tiger"}, "/foo/bar/baz/b:verb": {"x": "foo/bar/baz"}},
		},
		{
			"what_is_after_the_rest",
			[]string{
				"/a/{x=b/**}", "/a/{x=b/**}/z", "/a/{x=b/**}/y/z", "/a/{x=b/**}:verb", "/a/{x=**}", "/c/{x=*}/{y=d/**}/e",
				"/c/{x=*}/{y=d/**}/e:verb", "/f/{x=*}/{y=**}/g", "/f/{x=*}/{y=**}/g:verb", "/a/{x=b/*/y/z/**}/foo", "/a/{x=b/*/**/y/z}/foo",
			},
			map[string]string{
				"/a/b/hello/world/c": "/a/{x=b/**}", "/a/b/world/c/z": "/a/{x=b/**}/z", "/a/b/world/c/y/z": "/a/{x=b/**}/y/z",
				"/a/b/world/c:verb": "/a/{x=b/**}:verb", "/a/hello/b/world/c": "/a/{x=**}", "/c/hello/d/esp/world/e": "/c/{x=*}/{y=d/**}/e",
				"/c/hola/d/esp/mundo/e:verb": "/c/{x=*}/{y=d/**}/e:verb", "/f/foo/bar/baz/g": "/f/{x=*}/{y=**}/g",
				"/f/foo/bar/baz/g:verb": "/f/{x=*}/{y=**}/g:verb", "/a/b/foo/y/z/bar/baz/foo": "/a/{x=b/*/y/z/**}/foo",
				"/a/b/foo/bar/baz/y/z/foo": "/a/{x=b/*/**/y/z}/foo",
			},
			map[string]values{"/a/b/world/c:verb": {"x": "b/world/c"}, "/a/b/foo/bar/baz/y/z/foo": {"x": "b/foo/bar/baz/y/z"}},
		},
		{
			"verbs",
			[]string{"/some/const:verb", "/some/*:verb", "/some/*/foo:verb", "/other/**:verb", "/other/**/const:verb"},
			map[string]string{
				"/some/const:verb": "/some/const:verb", "/some/other:verb": "/some/*:verb", "/some/other:verb/": "",
				"/some/bar/foo:verb": "/some/*/foo:verb", "/some/foo1/foo2/foo:verb": "", "/some/foo/bar:verb": "",
				"/other/bar/foo:verb": "/other/**:verb", "/other/bar/foo/const:verb": "/other/**/const:verb",
			},
			nil,
		},
		{
			"colon_before_the_last_segment",
			[]string{"/{a=*}/{b=*}:verb", "/foo/*/hello"},
			map[string]string{"/some:verb/const:verb": "/{a=*}/{b=*}:verb", "/foo/other:verb/hello": "/foo/*/hello"},
			map[string]values{"/some:verb/const:verb": {"a": "some:verb", "b": "const"}},
		},
		{
			"verb_beside_none",
			[]string{"/{a=**}:verb", "/{a=**}"},
			map[string]string{
				"/some:verb/const:verb": "/{a=**}:verb", "/some:verb/const": "/{a=**}", "/some:verb2/const:verb2": "/{a=**}",
			},
			map[string]values{
				"/some:verb/const:verb": {"a": "some:verb/const"}, "/some:verb2/const:verb2": {"a": "some:verb2/const:verb2"},
			},
		},
		{
			"no_part_of_a_path",
			[]string{"/prefix/middle/suffix", "/prefix/middle", "/prefix", "/otherprefix/suffix"},
			map[string]string{
				"/prefix/middle/suffix": "/prefix/middle/suffix", "/prefix/middle": "/prefix/middle", "/prefix": "/prefix",
				"/prefix/middle/suffix/other": "", "/prefix/middle/other": "", "/prefix/other": "", "/other": "",
				"/otherprefix/suffix/othermiddle": "",
			},
			nil,
		},
		{
			"escapes",
			[]string{"/a/{x=p/*/q/*}/c", "/b/{x}/c", "/c/{x=*}/{y=**}/c"},
			map[string]string{
				"/a/p/foo%20foo/q/bar%2Fbar/c": "/a/{x=p/*/q/*}/c", "/b/p%20q%2Fr/c": "/b/{x}/c",
				"/c/%21%3A%2F/%21%3A%2F/c": "/c/{x=*}/{y=**}/c",
			},
			map[string]values{
				"/a/p/foo%20foo/q/bar%2Fbar/c": {"x": "p/foo foo/q/bar%2Fbar"}, "/b/p%20q%2Fr/c": {"x": "p q/r"},
				"/c/%21%3A%2F/%21%3A%2F/c": {"x": "!:/", "y": "%21%3A%2F"},
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			precedence(t, tt.templates, tt.want, tt.bound)
		})
	}
}

// Verbs beyond Google's cases: they decide before anything else, the longer one first, and an escaped colon begins none.
func TestVerbDecides(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name      string
		templates []string
		want      map[string]string
	}{
		{
			"same_variable",
			[]string{"/v1/{name=shelves/**}", "/v1/{name=shelves/**}:check"},
			map[string]string{
				"/v1/shelves:check": "/v1/{name=shelves/**}:check", "/v1/shelves/a/b:check": "/v1/{name=shelves/**}:check",
				"/v1/shelves": "/v1/{name=shelves/**}", "/v1/shelves/a:b": "/v1/{name=shelves/**}",
				"/v1/shelves/a%3Acheck": "/v1/{name=shelves/**}", "/v1/shelves/a:check/b": "/v1/{name=shelves/**}",
				"/v1/shelves/:check": "/v1/{name=shelves/**}", "/v1/shelves/a:check:x": "/v1/{name=shelves/**}",
			},
		},
		{
			"crossed",
			[]string{"/v1/x/{b}", "/v1/{a}/{b}:v"},
			map[string]string{"/v1/x/7:v": "/v1/{a}/{b}:v", "/v1/x/7": "/v1/x/{b}", "/v1/x/7:w": "/v1/x/{b}", "/v1/y/7": ""},
		},
		{
			"longer_verb",
			[]string{"/{x=**}:v", "/a/{b}:w:v", "/a/{b}"},
			map[string]string{"/a/7:w:v": "/a/{b}:w:v", "/a/7:v": "/{x=**}:v", "/a/7:x:v": "/{x=**}:v", "/a/7:w": "/a/{b}"},
		},
		{
			"verb_of_a_literal",
			[]string{"/a:v", "/{x=**}", "/{x}:v", "/{x=b:v}"},
			map[string]string{"/a:v": "/a:v", "/b:v": "/{x=b:v}", "/c:v": "/{x}:v", "/a": "/{x=**}", "/:v": "/{x=**}"},
		},
		{
			"colon_in_a_literal_that_is_not_last",
			[]string{"/a:v/{x}", "/{y}/{x}:v", "/{y=**}"},
			map[string]string{"/a:v/7": "/a:v/{x}", "/a:v/7:v": "/{y}/{x}:v", "/a:v": "/{y=**}"},
		},
		{
			"no_verb",
			[]string{"/{x=:v}", "/{x=a:}", "/{x}:v"},
			map[string]string{"/:v": "/{x=:v}", "/a:": "/{x=a:}", "/a::v": "/{x}:v"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			precedence(t, tt.templates, tt.want, nil)
		})
	}
}

// precedence compares what a tree finds, whatever the order in which the templates were added.
func precedence(t *testing.T, templates []string, want map[string]string, bound map[string]map[string]string) {
	t.Helper()

	for range 2 {
		slices.Reverse(templates)

		var tree pathtemplate.Tree[pathtemplate.Template]

		for _, template := range templates {
			parsed := mustParse(t, template)
			tree.Add(parsed, parsed)
		}

		for path, winner := range want {
			got, found := tree.Find(path)
			if got.String() != winner || found != (winner != "") {
				t.Errorf("%s is for %q, want %q", path, got, winner)

				continue
			}

			if values := bound[path]; values != nil && !maps.Equal(got.Bind(path).Map(), values) {
				t.Errorf("%s binds %q, want %q", path, got.Bind(path), values)
			}
		}
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name      string
		templates []string
		// want are the indices of templates before the first one; none: it can be reached.
		want []int
	}{
		{"alone", []string{"/a/**"}, nil},
		{"rest_in_parts", []string{"/a/{x=**}", "/a", "/a/{x=*/**}"}, []int{1, 2}},
		{"rest_in_three_parts", []string{"/{x=a/**}", "/a", "/a/*", "/a/*/*/**"}, []int{1, 2, 3}},
		{"one_part_is_missing", []string{"/{x=a/**}", "/a", "/a/*/*/**"}, nil},
		{"of_none_is_left", []string{"/a/**", "/a/*/**"}, nil},
		{"root", []string{"/**", "/", "/*/**"}, []int{1, 2}},
		{"without_the_root", []string{"/**", "/*/**"}, nil},
		{"with_a_verb", []string{"/a/**:v", "/a:v", "/a/*/**:v"}, []int{1, 2}},
		{"other_verbs_are_no_part", []string{"/a/**", "/a:v", "/a/*/**:v"}, nil},
		{"between", []string{"/a/**/b", "/a/b", "/a/*/b", "/a/*/*/**/b"}, []int{1, 2, 3}},
		{"literals_are_not_all", []string{"/a/**", "/a", "/a/x", "/a/xx", "/a/xxxxxxxxxxxx", "/a/*/*/**"}, nil},
		{"no_rest", []string{"/a/*", "/a/b", "/a/c", "/a/x"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			parsed := make([]pathtemplate.Template, 0, len(tt.templates))
			for _, template := range tt.templates {
				parsed = append(parsed, mustParse(t, template))
			}

			got := pathtemplate.Unreachable(parsed)
			if !slices.Equal(got[0], tt.want) || len(got) > 1 || len(got) == 1 && tt.want == nil {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
