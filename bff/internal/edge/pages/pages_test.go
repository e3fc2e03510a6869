package pages_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/edge/pages"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func say(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestMux(t *testing.T) {
	t.Parallel()

	mux, err := pages.New(say("routes"), []pages.Page{
		{Path: "/", Handler: say("home")},
		{Path: "/docs", Handler: say("docs")},
		{Path: "/docs/", Handler: say("tree")},
		{Path: "/docs/deep/", Handler: say("deep")},
		{Path: "/form", Handler: say("form"), Methods: []string{http.MethodPost}},
		{Path: "/read", Handler: say("read"), Methods: []string{http.MethodGet}},
		{Path: "/own", Handler: say("own"), Methods: []string{http.MethodOptions}},
	})
	if err != nil {
		t.Fatal(err)
	}

	for name, row := range map[string]struct {
		method, target string
		status         int
		body, template string
	}{
		"home":                 {"GET", "/", 200, "home", "/"},
		"home_is_no_tree":      {"GET", "/v1/users", 200, "routes", ""},
		"exact":                {"GET", "/docs", 200, "docs", "/docs"},
		"query":                {"GET", "/docs?x=1", 200, "docs", "/docs"},
		"head":                 {"HEAD", "/docs", 200, "docs", "/docs"},
		"tree":                 {"GET", "/docs/", 200, "tree", "/docs/"},
		"below":                {"GET", "/docs/a/b", 200, "tree", "/docs/"},
		"longest":              {"GET", "/docs/deep/a", 200, "deep", "/docs/deep/"},
		"beginning_of_a_name":  {"GET", "/docsx", 200, "routes", ""},
		"escapes_are_no_slash": {"GET", "/docs%2Fa", 200, "routes", ""},
		"own_method":           {"POST", "/form", 200, "form", "/form"},
		"other_method":         {"GET", "/form", 405, "", "/form"},
		"changing_a_page":      {"DELETE", "/docs/a", 405, "", "/docs/"},
		"options":              {"OPTIONS", "/docs", 204, "", "/docs"},
		"options_of_the_page":  {"OPTIONS", "/own", 200, "own", "/own"},
		"options_elsewhere":    {"OPTIONS", "/v1/users", 200, "routes", ""},
		"head_comes_with_get":  {"HEAD", "/read", 200, "read", "/read"},
		"head_without_get":     {"HEAD", "/form", 405, "", "/form"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			rec := &reqinfo.Record{}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequestWithContext(reqinfo.NewContext(t.Context(), rec), row.method, row.target, http.NoBody))

			if w.Code != row.status || row.body != "" && w.Body.String() != row.body || rec.Template != row.template {
				t.Errorf("%d %q, template %q", w.Code, w.Body, rec.Template)
			}

			if got := w.Header().Get("Allow"); row.status != http.StatusOK && !strings.Contains(got, "OPTIONS") {
				t.Errorf("%d with Allow %q", w.Code, got)
			}
		})
	}

	for path, want := range map[string][]string{
		"/docs": {"GET", "HEAD", "OPTIONS"}, "/read": {"GET", "HEAD", "OPTIONS"}, "/form": {"OPTIONS", "POST"}, "/own": {"OPTIONS"},
		"/v1/users": nil,
	} {
		if got := mux.Methods(path); !slices.Equal(got, want) {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()

	for name, list := range map[string][]pages.Page{
		"relative": {{Path: "docs", Handler: say("")}},
		"twice":    {{Path: "/docs", Handler: say("")}, {Path: "/docs", Handler: say("")}},
	} {
		if _, err := pages.New(say(""), list); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Once, what only some may read was kept by shared caches for a year.
func TestPrivate(t *testing.T) {
	t.Parallel()

	for said, want := range map[string]string{
		"": "private", "no-cache": "private, no-cache", "max-age=60, immutable": "private, max-age=60, immutable", "no-store": "no-store",
	} {
		for _, status := range []int{http.StatusOK, http.StatusNotModified} {
			w := httptest.NewRecorder()
			pages.Private(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if said != "" {
					w.Header().Set("Cache-Control", said)
				}

				if status != http.StatusOK {
					w.WriteHeader(status)

					return
				}

				_, _ = io.WriteString(w, "text")
			})).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/docs", nil))

			if got := w.Result().Header.Get("Cache-Control"); got != want || w.Code != status {
				t.Errorf("%q becomes %q, %d", said, got, w.Code)
			}
		}
	}
}
