package admin_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/admin"
)

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, text+" "+r.URL.Path) })
}

func config() admin.Deps {
	return admin.Deps{
		Checks:  checks(fine("serving", true)),
		Metrics: says("metrics"),
		Upstreams: func() any {
			return []struct {
				Name string `json:"name"`
			}{{"order"}, {"user"}}
		},
		Guard:  guard(credential).Guard,
		Mounts: map[string]http.Handler{"/docs": says("docs")},
	}
}

// fine is a check with nothing to say.
func fine(name string, required bool) admin.Check { return check(name, required, admin.OK, "") }

func check(name string, required bool, state, detail string) admin.Check {
	return admin.Check{Name: name, Required: required, Check: func() (string, string) { return state, detail }}
}

func do(handler http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))

	return w
}

func TestPaths(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name, method, path string
		status             int
		contentType, body  string
	}{
		{"livez", "GET", "/livez", 200, "text/plain; charset=utf-8", "ok\n"},
		{"readyz", "GET", "/readyz", 200, "text/plain; charset=utf-8", "ok\n"},
		{"upstreams", "GET", "/upstreams", 200, "application/json", `[{"name":"order"},{"name":"user"}]` + "\n"},
		{"metrics", "GET", "/metrics", 200, "", "metrics /metrics"},
		{"pprof_index", "GET", "/debug/pprof/", 200, "text/html; charset=utf-8", "goroutine"},
		{"pprof_of_goroutines", "GET", "/debug/pprof/goroutine?debug=1", 200, "text/plain; charset=utf-8", "goroutine profile"},
		{"mount", "GET", "/docs", 200, "", "docs /docs"},
		{"below_a_mount", "GET", "/docs/openapi.json", 200, "", "docs /docs/openapi.json"},
		{"every_method_of_a_mount", "POST", "/docs/x", 200, "", "docs /docs/x"},
		{"beside_a_mount", "GET", "/docsx", 404, "", ""},
		{"icon_that_browsers_ask_for", "GET", "/favicon.ico", 204, "", ""},
		{"root", "GET", "/", 404, "", ""},
		{"unknown_path", "GET", "/v1/orders", 404, "", ""},
		{"wrong_method", "POST", "/livez", 405, "", ""},
		{"livez_without_a_body", "HEAD", "/livez", 200, "text/plain; charset=utf-8", ""},
		{"level_of_another_log", "GET", "/log/level", 404, "", ""},
	}

	handler := admin.New(config())

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			w := do(handler, tt.method, tt.path)
			if w.Code != tt.status {
				t.Errorf("status: got %d, want %d", w.Code, tt.status)
			}

			if got := w.Header().Get("Content-Type"); tt.contentType != "" && got != tt.contentType {
				t.Errorf("content type: got %q, want %q", got, tt.contentType)
			}

			if !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("body: got %q, want %q", w.Body, tt.body)
			}
		})
	}
}

// Once, any web page in an operator's browser could send what changes something.
func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	t.Parallel()

	handler := admin.New(config())

	for name, c := range map[string]struct {
		method, origin, site string
		status               int
	}{
		"curl":                      {"POST", "", "", 200},
		"own_page":                  {"POST", "http://example.com", "same-origin", 200},
		"other_site":                {"POST", "https://evil.example", "cross-site", 403},
		"other_port":                {"DELETE", "http://example.com:3000", "same-site", 403},
		"other_site_of_old_browser": {"POST", "https://evil.example", "", 403},
		"link":                      {"GET", "", "cross-site", 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequest(c.method, "/docs/x", nil)
			for header, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
				if value != "" {
					r.Header.Set(header, value)
				}
			}

			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)

			if w.Code != c.status || c.status == http.StatusForbidden && strings.Contains(w.Body.String(), "docs") {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestConsoleIsTheFirstPage(t *testing.T) {
	t.Parallel()

	deps := config()
	deps.Console = says("console")
	handler := admin.New(deps)

	for _, path := range []string{"/", "/console"} {
		if w := do(handler, "GET", path); w.Code != http.StatusSeeOther || w.Header().Get("Location") != "/console/" {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}

	for _, path := range []string{"/console/", "/console/events"} {
		if w := do(handler, "GET", path); w.Body.String() != "console "+path {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
