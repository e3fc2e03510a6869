package embedding_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/browsertest"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Who may see the page at /docs, and the document that it shows, is the operator's to say. Nobody sees the page who was not let.
func TestDocsPageIsForWhomTheConfigurationSays(t *testing.T) {
	t.Parallel()

	const anonymous, alice = "", "alice"

	for _, row := range []struct {
		name string
		docs config.Docs
		// caller has a token, unless he is anonymous.
		caller string
		path   string
		want   int
	}{
		{"off_by_default", config.Docs{}, alice, "/docs", http.StatusNotFound},
		{"off_by_default_with_a_slash", config.Docs{}, alice, "/docs/", http.StatusNotFound},
		{"public", config.Docs{Page: config.DocsPublic}, anonymous, "/docs/", http.StatusOK},
		{"public_without_the_slash", config.Docs{Page: config.DocsPublic}, anonymous, "/docs", http.StatusTemporaryRedirect},
		{"protected", config.Docs{Page: config.DocsAuthenticated}, anonymous, "/docs/", http.StatusUnauthorized},
		{"protected_files", config.Docs{Page: config.DocsAuthenticated}, anonymous, "/docs/x/docs.js", http.StatusUnauthorized},
		{"authenticated", config.Docs{Page: config.DocsAuthenticated}, alice, "/docs/", http.StatusOK},
		{"authenticated_files", config.Docs{Page: config.DocsAuthenticated}, alice, "/docs/x/docs.js", http.StatusOK},
		{
			"public_page_of_a_document_that_is_not",
			config.Docs{Page: config.DocsPublic, OpenAPI: config.DocsAuthenticated},
			anonymous, "/docs/", http.StatusOK,
		},
		{
			"document_that_is_not_public",
			config.Docs{Page: config.DocsPublic, OpenAPI: config.DocsAuthenticated},
			anonymous, "/openapi.json", http.StatusUnauthorized,
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.Start(t, func(cfg *config.Config) { cfg.Docs = row.docs })

			var header http.Header
			if row.caller != anonymous {
				header = s.As(t, row.caller)
			}

			if got := s.Do(t, http.MethodGet, row.path, header, ""); got.Status != row.want {
				t.Errorf("%d, want %d: %.200s", got.Status, row.want, got.Body)
			}
		})
	}
}

// The page's own headers win over those that all answers get, and nothing else is lost of them.
func TestDocsPageHeaders(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(cfg *config.Config) { cfg.Docs.Page = config.DocsPublic })
	page := s.Do(t, http.MethodGet, "/docs/", nil, "")

	policy := page.Header["Content-Security-Policy"]
	if len(policy) != 1 || !strings.HasPrefix(policy[0], "default-src 'none'; script-src 'self'; ") || strings.Contains(policy[0], "unsafe") {
		t.Errorf("Content-Security-Policy %q", policy)
	}

	for name, want := range map[string]string{
		"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := page.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s %q, want %q", name, got, want)
		}
	}

	if strings.Contains(page.Body, "subject-form") {
		t.Error("the page offers tokens, which only a program for development has")
	}

	again := s.Do(t, http.MethodGet, "/docs/", http.Header{"If-None-Match": {`"x"`, page.Header.Get("Etag")}}, "")
	if again.Status != http.StatusNotModified {
		t.Errorf("%d for the page's own tag %q", again.Status, page.Header.Get("Etag"))
	}

	if got := s.Do(t, http.MethodPost, "/docs/", nil, "{}"); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("POST: %d, Allow %q", got.Status, got.Header.Get("Allow"))
	}

	if got := s.Do(t, http.MethodOptions, "/docs/", nil, ""); got.Status != http.StatusNoContent || got.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("OPTIONS: %d, Allow %q", got.Status, got.Header.Get("Allow"))
	}

	if got := s.Do(t, http.MethodGet, "/docs/x/none.js", nil, ""); got.Status != http.StatusNotFound {
		t.Errorf("a file that does not exist: %d", got.Status)
	} else if code := got.Problem(t)["code"]; code != "NOT_FOUND" {
		t.Errorf("code %v", code)
	}
}

// Once, a shared cache could keep what only those with a credential may see.
func TestDocsForSomeAreNotForSharedCaches(t *testing.T) {
	t.Parallel()

	for who, prefix := range map[string]string{config.DocsPublic: "", config.DocsAuthenticated: "private, "} {
		s := gatewaytest.Start(t, func(cfg *config.Config) { cfg.Docs = config.Docs{Page: who, OpenAPI: who} })
		alice := s.As(t, "alice")
		page := s.Do(t, http.MethodGet, "/docs/", alice, "")

		asset := regexp.MustCompile(`[0-9a-f]+/docs\.js`).FindString(page.Body)
		for path, want := range map[string]string{
			"/docs/": "no-cache", "/docs/" + asset: "max-age=31536000, immutable", "/openapi.json": "no-cache", "/openapi.yaml": "no-cache",
		} {
			got := s.Do(t, http.MethodGet, path, alice, "")
			if caching := got.Header["Cache-Control"]; len(caching) != 1 || caching[0] != prefix+want {
				t.Errorf("%s, %s: %d, Cache-Control %q", who, path, got.Status, caching)
			}
		}
	}
}

// A page that anyone may see shows a document that asks for a token once it has one.
func TestDocsPageAsksForTheDocumentWithTheToken(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(cfg *config.Config) {
		cfg.Docs = config.Docs{Page: config.DocsPublic, OpenAPI: config.DocsAuthenticated}
	}, gatewaytest.OwnPage(t, "/own", "text/html", `<!doctype html><title>-</title><script src="/own.js"></script>`),
		gatewaytest.OwnPage(t, "/own.js", "text/javascript", `fetch("/v1/users/alice").then(r => r.json()).then(p => { document.title = p.code })`))

	page := browsertest.Open(t)
	page.Expect("status of 401")

	// Once, a page of an embedding program could not call the API.
	page.Do(chromedp.Navigate(s.URL + "/own"))

	if code := browsertest.Get(page, chromedp.Poll[string](`document.title != "-" && document.title`)); code != "UNAUTHENTICATED" {
		t.Errorf("the page got %q", code)
	}

	page.Do(chromedp.Navigate(s.URL+"/docs"), chromedp.WaitVisible(chromedp.CSS("#token-status.bad")))
	page.Screenshot("refused")

	if got := browsertest.Get(page, chromedp.Text(chromedp.CSS("#token-status"))); got != "The description itself asks for a token." {
		t.Errorf("the page says %q", got)
	}

	page.Do(chromedp.SendKeys(chromedp.CSS("#token"), s.Token(t, "alice")+kb.Enter),
		chromedp.WaitVisible(chromedp.CSS(`.opblock[id$="DashboardService_GetMyDashboard"] .authorization__btn.locked, .opblock svg.locked`)))
	page.Screenshot("shown")
}

// Once, a browser with a window logged an error for each document that it showed, because there was no icon.
func TestBrowsersGetNoErrorForAnIcon(t *testing.T) {
	ownRoute := declare(t, "GET /favicon.ico")

	t.Parallel()

	docs := func(cfg *config.Config) { cfg.Docs.Page = config.DocsPublic }

	for _, row := range []struct {
		name   string
		change func(*config.Config)
		opts   []bff.Option
		want   int
	}{
		{"api_alone", nil, nil, http.StatusNotFound},
		{"docs_page", docs, nil, http.StatusNoContent},
		{"own_page", nil, []bff.Option{gatewaytest.OwnPage(t, "/own", "text/html", "")}, http.StatusNoContent},
		{"own_icon", docs, []bff.Option{gatewaytest.OwnPage(t, "/favicon.ico", "image/svg+xml", "<svg/>")}, http.StatusOK},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.Start(t, row.change, row.opts...)
			if got := s.Do(t, http.MethodGet, "/favicon.ico", nil, ""); got.Status != row.want {
				t.Errorf("%d, want %d", got.Status, row.want)
			}
		})
	}

	t.Run("own_route", func(t *testing.T) {
		t.Parallel()

		gw, err := ownRoute.open(t, docs)
		if err != nil {
			t.Fatal(err)
		}

		s := &gatewaytest.Site{URL: gatewaytest.Listen(t, gw)}
		if got := s.Do(t, http.MethodGet, "/favicon.ico", nil, ""); got.Status != http.StatusOK {
			t.Errorf("%d: %s", got.Status, got.Body)
		}
	})
}
