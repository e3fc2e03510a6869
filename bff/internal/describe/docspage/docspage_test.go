package docspage_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/describe/docspage"
)

func handler(tb testing.TB) http.Handler {
	tb.Helper()

	h, err := docspage.Handler(docspage.Config{
		Title: `Shop "&" more`, Document: "../openapi.json", TokenURL: "../dev/token",
		SessionURL: "../auth/session", SessionHeader: "X-Csrf",
	})
	if err != nil {
		tb.Fatal(err)
	}

	return h
}

func get(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}

	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)

	return w
}

// assets are the URLs of the page's files, relative to it.
func assets(tb testing.TB, html string) []string {
	tb.Helper()

	var list []string
	for _, found := range regexp.MustCompile(`(?:href|src)="([0-9a-f]+/[^"]+)"`).FindAllStringSubmatch(html, -1) {
		list = append(list, found[1])
	}

	if len(list) != 4 {
		tb.Fatalf("the page has %d files: %s", len(list), html)
	}

	return list
}

func TestPage(t *testing.T) {
	t.Parallel()

	res := get(handler(t), http.MethodGet, "/docs/")
	html := res.Body.String()

	for name, want := range map[string]string{
		"Content-Type":               "text/html; charset=utf-8",
		"Cache-Control":              "no-cache",
		"Cross-Origin-Opener-Policy": "same-origin",
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
			"font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	} {
		if got := res.Header().Get(name); got != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}

	for _, want := range []string{
		"Shop &#34;&amp;&#34; more: reference", `data-document="../openapi.json"`, `data-tokens="../dev/token"`, `id="subject-form"`,
		`data-session="../auth/session"`, `data-session-header="X-Csrf"`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in %s", want, html)
		}
	}

	// Anything of these would break the policy, or the promise to load nothing from elsewhere.
	for _, never := range []string{"<style", "style=", "onclick=", "//cdn", "https://"} {
		if strings.Contains(html, never) {
			t.Errorf("%s in %s", never, html)
		}
	}

	plain, err := docspage.Handler(docspage.Config{Document: "../openapi.json"})
	if err != nil {
		t.Fatal(err)
	}

	if html := get(plain, http.MethodGet, "/docs/").Body.String(); strings.Contains(html, "subject-form") {
		t.Errorf("tokens are offered where there are none: %s", html)
	}
}

func TestSlash(t *testing.T) {
	t.Parallel()

	for from, to := range map[string]string{"/docs": "docs/", "/docs?filter=a%20b&x": "docs/?filter=a%20b&x"} {
		res := get(handler(t), http.MethodGet, from)
		if res.Code != http.StatusTemporaryRedirect || res.Header().Get("Location") != to {
			t.Errorf("%s: %d %q", from, res.Code, res.Header().Get("Location"))
		}
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()

	h := handler(t)

	for _, name := range assets(t, get(h, http.MethodGet, "/docs/").Body.String()) {
		res := get(h, http.MethodGet, "/docs/"+name, "Accept-Encoding", "br;q=1, gzip;q=0.5")
		if res.Code != http.StatusOK || res.Header().Get("Cache-Control") != "max-age=31536000, immutable" {
			t.Errorf("%s: %d %v", name, res.Code, res.Header())
		}

		if got := res.Header().Get("Content-Type"); got != "text/javascript; charset=utf-8" && got != "text/css; charset=utf-8" {
			t.Errorf("%s: Content-Type %q", name, got)
		}

		if got := get(h, http.MethodGet, "/docs/"+name, "Accept-Encoding", "gzip", "If-None-Match", res.Header().Get("Etag")); got.Code !=
			http.StatusNotModified {
			t.Errorf("%s: %d for its own tag", name, got.Code)
		}

		plain := get(h, http.MethodGet, "/docs/"+name)
		if plain.Header().Get("Content-Encoding") != "" {
			t.Errorf("%s: compressed without being asked for", name)
		}

		want := plain.Body.String()

		if res.Header().Get("Content-Encoding") != "gzip" {
			if got := res.Body.String(); got != want || got == "" {
				t.Errorf("%s differs", name)
			}

			continue
		}

		if res.Header().Get("Vary") != "Accept-Encoding" || res.Header().Get("Etag") == plain.Header().Get("Etag") {
			t.Errorf("%s: the forms are not told apart: %v", name, res.Header())
		}

		z, err := gzip.NewReader(res.Body)
		if err != nil {
			t.Fatal(err)
		}

		got, err := io.ReadAll(z)
		if err != nil || string(got) != want || len(got) < 100_000 {
			t.Errorf("%s: %d bytes compressed, %d plain: %v", name, len(got), len(want), err)
		}
	}
}

func TestOtherFiles(t *testing.T) {
	t.Parallel()

	h := handler(t)

	for _, row := range []struct {
		name, path string
		status     int
		caching    string
	}{
		{"of_another_version", "/docs/0000000000000000/docs.css", http.StatusOK, "no-cache"},
		{"missing", "/docs/x/none.js", http.StatusNotFound, "no-store"},
		{"without_version", "/docs/docs.css", http.StatusNotFound, "no-store"},
		{"the_template", "/docs/x/index.html", http.StatusNotFound, "no-store"},
		{"outside", "/docs/x/../docspage.go", http.StatusNotFound, "no-store"},
		{"other_files_of_the_viewer", "/docs/x/oauth2-redirect.html", http.StatusNotFound, "no-store"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			res := get(h, http.MethodGet, row.path)
			if res.Code != row.status || res.Header().Get("Cache-Control") != row.caching {
				t.Errorf("%d, Cache-Control %q", res.Code, res.Header().Get("Cache-Control"))
			}

			if res.Header().Get("Content-Security-Policy") == "" {
				t.Error("no policy")
			}
		})
	}
}

func TestAcceptEncoding(t *testing.T) {
	t.Parallel()

	h := handler(t)

	for accept, want := range map[string]string{
		"": "", "br": "", "identity": "", "gzip": "gzip", "GZIP": "gzip", "deflate , gzip ;q=1": "gzip", "gzip;q=0": "", "gzip;q=0.0": "",
		"gzip;q=x": "", "xgzip": "", "br, gzip;q=0.001": "gzip",
	} {
		res := get(h, http.MethodHead, "/docs/x/swagger-ui.css", "Accept-Encoding", accept)
		if got := res.Header().Get("Content-Encoding"); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}

		if body := res.Body.String(); body != "" {
			t.Errorf("%q: HEAD has a body of %d bytes", accept, len(body))
		}
	}
}
