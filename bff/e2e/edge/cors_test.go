package edge_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Once, a browser could not show a page that a path does not exist: the preflight was refused, and the answer never asked for.
func TestPagesReadWhatIsWrongWithThePath(t *testing.T) {
	t.Parallel()

	const origin = "https://app.example"

	s := gatewaytest.StartMirror(t, func(c *config.Config) { c.CORS.AllowedOrigins = []string{origin} })

	for target, want := range map[string]int{"/v1/nothing": http.StatusNotFound, "/v1/every:value": http.StatusMethodNotAllowed} {
		for who, allowed := range map[string]string{origin: origin, "https://evil.example": ""} {
			preflight := s.Do(t, http.MethodOptions, target, http.Header{
				"Origin": {who}, "Access-Control-Request-Method": {"DELETE"}, "Access-Control-Request-Headers": {"content-type"},
			}, "")
			granted := preflight.Header.Get("Access-Control-Allow-Origin")

			if granted != allowed || (allowed != "") != (preflight.Header.Get("Access-Control-Allow-Headers") != "") ||
				allowed != "" && preflight.Status != http.StatusNoContent {
				t.Errorf("preflight of %s to %s: %d %v", who, target, preflight.Status, preflight.Header)
			}

			res := s.Do(t, http.MethodDelete, target, http.Header{"Origin": {who}}, "")
			if res.Status != want || res.Header.Get("Access-Control-Allow-Origin") != allowed {
				t.Errorf("%s to %s: %d %v", who, target, res.Status, res.Header)
			}

			res.Problem(t)
		}
	}
}

// Once, pages could not call a route with a custom method, nor read which methods a path has.
func TestPagesCallCustomMethods(t *testing.T) {
	t.Parallel()

	const origin = "https://app.example"

	s := gatewaytest.StartMirrorOf(t, gatewaytest.Mirror{}, func(c *config.Config) { c.CORS.AllowedOrigins = []string{origin} }, nil,
		gatewaytest.WithPage(t, "/own", http.NotFoundHandler(), "PROPFIND"))

	for path, method := range map[string]string{"/v1/every": "LOCK", "/own": "PROPFIND"} {
		preflight := s.Do(t, http.MethodOptions, path, http.Header{
			"Origin": {origin}, "Access-Control-Request-Method": {method},
		}, "")
		if preflight.Header.Get("Access-Control-Allow-Origin") != origin ||
			!strings.Contains(preflight.Header.Get("Access-Control-Allow-Methods"), method) {
			t.Errorf("preflight of %s: %d %v", path, preflight.Status, preflight.Header)
		}
	}

	for method, status := range map[string]int{"LOCK": http.StatusOK, http.MethodDelete: http.StatusMethodNotAllowed} {
		res := s.Do(t, method, "/v1/every", http.Header{"Origin": {origin}}, "")
		if res.Status != status || res.Header.Get("Access-Control-Allow-Origin") != origin ||
			!strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "Allow") {
			t.Errorf("%s: %d %v", method, res.Status, res.Header)
		}
	}

	// What no route has is not granted.
	if res := s.Do(t, http.MethodOptions, "/v1/every", http.Header{
		"Origin": {origin}, "Access-Control-Request-Method": {"UNLOCK"},
	}, ""); res.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("UNLOCK: %d %v", res.Status, res.Header)
	}
}

// A page of an embedding program may call the API unless it says otherwise. JSON is no page.
func TestContentSecurityPolicyOfPages(t *testing.T) {
	t.Parallel()

	const own = "default-src 'none'"

	s := gatewaytest.Start(t, nil, gatewaytest.OwnPage(t, "/own", "text/html", ""), gatewaytest.WithPage(t, "/strict", http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Security-Policy", own) })))

	for target, want := range map[string]string{
		"/own":      "default-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
		"/strict":   own,
		"/v1/users": "",
	} {
		got := s.Do(t, http.MethodGet, target, nil, "").Header.Values("Content-Security-Policy")
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q", target, got)
		}
	}
}
