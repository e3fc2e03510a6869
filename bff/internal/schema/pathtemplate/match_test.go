package pathtemplate_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// templates has every shape: literals, wildcards, variables, "**" first, last and in between, and verbs on each.
var templates = []string{
	"/", "/a", "/b", "/a:v", "/a:w:v", "/*", "/{x}:v", "/{x}:w:v", "/{x=a:v}", "/{x=:v}", "/{x=*}",
	"/a/b", "/a/*", "/*/b", "/{x}/{y}", "/a/b:v", "/a/*:v", "/*/b:v", "/{x=a/*}:v", "/{x}/{y}:w:v", "/a:v/b", "/*/{x=b:v}",
	"/a/b/*", "/a/*/b", "/*/*/*", "/a/{x}/b:v",
	"/**", "/**:v", "/a/**", "/a/**:v", "/*/**", "/*/**:v", "/a/*/**", "/a/b/**", "/*/b/**", "/{x=a/**}/b", "/**/a", "/**/*",
	"/**/a:v", "/**/*:v", "/**/a/b", "/**/b/a", "/**/a/*", "/a/**/b", "/a/**/*", "/*/**/*", "/a/**/b:v", "/*/**/{x}:w:v",
	"/**/{x=a:v}", "/a/**/a", "/**/a/*:v", "/{x=**}/*/*",
}

// parts are path segments with which something may go wrong.
var parts = []string{
	"", "a", "b", "z", "a:v", "b:v", "z:v", "a:w:v", "z:w:v", ":v", ":", "v", ":w:v", "a:", "a%2Fb", "a%2fb", "%61",
	"%41:v", "a%3Av", "%", "a%2", "%zz", "%zz:v", "%25", "%2561", "%ff", "a%20b", "a!b", "a%21b", "*", "%2A", "**", "ü",
	"%C3%BC", ".", "..", "{x}",
}

func TestMatch(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		name, template, path string
		want                 bool
	}{
		{"literal", "/v1/users", "/v1/users", true},
		{"trailing-slash-is-a-segment", "/v1/users", "/v1/users/", false},
		{"variable", "/v1/users/{id}", "/v1/users/7", true},
		{"variable-is-not-empty", "/v1/users/{id}", "/v1/users/", false},
		{"variable-between-is-not-empty", "/v1/users/{id}/orders", "/v1/users//orders", false},
		{"wildcard-is-not-empty", "/v1/*/orders", "/v1//orders", false},
		{"wildcard-in-variable-is-not-empty", "/v1/{parent=projects/*}/list", "/v1/projects//list", false},
		{"wildcard-beside-rest-is-not-empty", "/v1/{name=a/*/**}", "/v1/a//b", false},
		{"wildcard-after-rest-is-not-empty", "/v1/**/*", "/v1/a/", false},
		{"escaped-slash-is-not-empty", "/v1/{parent=projects/*}/list", "/v1/projects/%2F/list", true},
		{"literals-with-two-slashes", "/v1/users", "/v1//users", false},
		{"variable-needs-its-segment", "/v1/users/{id}", "/v1/users", false},
		{"escaped-slash-does-not-split", "/v1/users/{id}", "/v1/users/a%2Fb", true},
		{"literal-in-another-spelling", "/v1/users", "/v1/%75sers", false},
		{"malformed-escape", "/v1/users/{id}", "/v1/users/%zz", false},
		{"verb", "/v1/orders/{id}:cancel", "/v1/orders/7:cancel", true},
		{"verb-of-nothing", "/v1/orders/{id}:cancel", "/v1/orders/:cancel", false},
		{"verb-is-missing", "/v1/orders/{id}:cancel", "/v1/orders/7", false},
		{"verb-is-plain-text-without-one", "/v1/orders/{id}", "/v1/orders/7:cancel", true},
		{"verb-escaped", "/v1/orders/{id}:cancel", "/v1/orders/7%3Acancel", false},
		{"rest", "/v1/files/{path=**}", "/v1/files/a/b/c", true},
		{"rest-may-be-none", "/v1/files/{path=**}", "/v1/files", true},
		{"rest-may-have-empty-segments", "/v1/files/{path=**}", "/v1/files//a//b/", true},
		{"rest-may-be-one-empty-segment", "/v1/files/{path=**}", "/v1/files/", true},
		{"rest-with-verb-is-not-empty", "/v1/files/{path=**}:list", "/v1/files/:list", false},
		{"rest-with-more-after", "/v1/{path=**}/raw", "/v1/a/b/raw", true},
		{"rest-without-more-after", "/v1/{path=**}/raw", "/v1/a/b", false},
		{"verb-after-no-rest", "/v1/files/{path=**}:list", "/v1/files:list", true},
		{"root", "/", "/", true},
		{"relative", "/{x}", "a", false},
		{"empty", "/{x}", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			if got := mustParse(t, tt.template).Match(tt.path); got != tt.want {
				t.Errorf("%s matches %s: %v", tt.template, tt.path, got)
			}
		})
	}

	if (pathtemplate.Template{}).Match("/") {
		t.Error("the zero template matches")
	}
}

// All templates against all paths of up to two segments, and longer ones of the plainer segments, agree with the mux, but for "*",
// which is no empty segment here.
func TestMatchIsTheMuxs(t *testing.T) {
	t.Parallel()

	const plainer = 9

	paths := slices.Concat(allPaths(parts, 2), allPaths(parts[:plainer], 3))

	for _, template := range templates {
		agree(t, template, paths)
	}
}

func FuzzMatch(f *testing.F) {
	for i, template := range templates {
		f.Add(template, "/"+parts[i%len(parts)])
		f.Add(template, "/a/"+parts[i%len(parts)]+"/b")
	}

	f.Fuzz(func(t *testing.T, template, path string) {
		if _, err := pathtemplate.Parse(template); err == nil {
			agree(t, template, []string{path})
		}
	})
}

// agree compares Match with a mux that has one route, for the path as the gateway gives it to the mux and as net/http does.
func agree(t *testing.T, template string, paths []string) {
	t.Helper()

	mux := runtime.NewServeMux(
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
		// Writing the answers takes most of the time otherwise.
		runtime.WithRoutingErrorHandler(
			func(context.Context, *runtime.ServeMux, runtime.Marshaler, http.ResponseWriter, *http.Request, int) {},
		),
	)
	matched := false

	err := mux.HandlePath(http.MethodGet, template, func(http.ResponseWriter, *http.Request, map[string]string) { matched = true })
	if err != nil {
		t.Fatalf("the mux refuses %q: %v", template, err)
	}

	parsed := mustParse(t, template)

	for _, path := range paths {
		got := parsed.Match(path)

		for _, u := range spellings(path) {
			matched = false

			mux.ServeHTTP(httptest.NewRecorder(), &http.Request{Method: http.MethodGet, URL: u})

			if matched = matched && noneEmpty(template, path); got != matched {
				t.Errorf("%q matches %q: %v, but the mux says %v for %#v", template, path, got, matched, u)
			}
		}
	}
}

// spellings are the URLs that stand for an escaped path: with RawPath always set, and as parsed from a request line.
func spellings(path string) []*url.URL {
	var urls []*url.URL

	if path != "" {
		urls = append(urls, &url.URL{Path: path, RawPath: path})
	}

	if strings.HasPrefix(path, "/") && !strings.ContainsAny(path, "?#") {
		if parsed, err := url.ParseRequestURI(path); err == nil && parsed.Host == "" {
			urls = append(urls, parsed)
		}
	}

	return urls
}

// allPaths lists the paths with one to so many of the segments.
func allPaths(parts []string, length int) []string {
	all, paths := []string(nil), []string{""}

	for range length {
		longer := make([]string, 0, len(paths)*len(parts))

		for _, path := range paths {
			for _, part := range parts {
				longer = append(longer, path+"/"+part)
			}
		}

		paths = longer
		all = append(all, paths...)
	}

	return all
}

func BenchmarkMatch(b *testing.B) {
	template := mustParse(b, "/v1/users/{user_id}/notifications/{notification_id}:markRead")

	b.ReportAllocs()

	for b.Loop() {
		if !template.Match("/v1/users/u%2F1/notifications/n-17:markRead") {
			b.Fatal("no match")
		}
	}
}
