package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/admin/console"
)

func TestPage(t *testing.T) {
	t.Parallel()

	c := console.New(newSource().deps())
	defer c.Close()

	for path, want := range map[string]int{
		"/console/": 200, "/console/index.html": 200, "/console/none.js": 404, "/console/page/index.html": 404, "/console/../about.go": 404,
	} {
		w := get(c, path)
		if w.Code != want && (want != http.StatusNotFound || w.Code != http.StatusMovedPermanently && w.Code != http.StatusTemporaryRedirect) {
			t.Errorf("%s: %d", path, w.Code)
		}
	}

	w := get(c, "/console/")
	header := w.Header()

	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "no-referrer",
	} {
		if got := header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}

	if policy := header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'; script-src 'self'") ||
		strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy is %s", policy)
	}

	r := httptest.NewRequest(http.MethodGet, "/console/", nil)
	r.Header.Set("If-None-Match", header.Get("Etag"))

	again := httptest.NewRecorder()
	c.ServeHTTP(again, r)

	if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("with its ETag: %d", again.Code)
	}
}
