package sessions_test

import (
	"maps"
	"net/http"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

// cookies is the header with which a browser sends what it has for the gateway.
func (s *site) cookies(t *testing.T, b *openidtest.Browser) http.Header {
	t.Helper()

	return http.Header{"Cookie": {sessionCookie + "=" + b.Jar.Cookie(t, s.URL, sessionCookie)}}
}

// plus returns a header with the fields of others.
func plus(header http.Header, others ...http.Header) http.Header {
	out := header.Clone()
	for _, other := range others {
		maps.Copy(out, other)
	}

	return out
}

// mustLive checks that the session of a browser is that of the user.
func (s *site) mustLive(t *testing.T, b *openidtest.Browser, user string) {
	t.Helper()

	if got := s.state(t, b)["subject"]; got != user {
		t.Errorf("the session is that of %v", got)
	}
}

// crossSite is what requests of pages of others are known by.
func crossSite() map[string]http.Header {
	const form, evil = "application/x-www-form-urlencoded", "https://evil.example"

	return map[string]http.Header{
		"form":                        {"Content-Type": {form}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {evil}},
		"form_as_text":                {"Content-Type": {"text/plain"}, "Sec-Fetch-Site": {"cross-site"}, "Origin": {evil}},
		"form_with_parts":             {"Content-Type": {"multipart/form-data; boundary=x"}, "Sec-Fetch-Site": {"cross-site"}},
		"form_of_the_same_site":       {"Content-Type": {form}, "Sec-Fetch-Site": {"same-site"}, "Origin": {"http://127.0.0.1:1"}},
		"form_of_an_old_browser":      {"Content-Type": {form}},
		"form_of_a_sandbox":           {"Content-Type": {form}, "Origin": {"null"}},
		"form_of_another_port":        {"Content-Type": {"text/plain"}, "Origin": {"http://127.0.0.1:1"}},
		"fetch":                       {"Sec-Fetch-Site": {"cross-site"}, "Origin": {evil}},
		"fetch_with_the_header":       {"Sec-Fetch-Site": {"cross-site"}, "Origin": {evil}, "X-Csrf": {"1"}},
		"fetch_of_the_same_site":      {"Sec-Fetch-Site": {"same-site"}, "Origin": {"http://127.0.0.1:1"}, "X-Csrf": {"1"}},
		"fetch_of_a_sandbox":          {"Origin": {"null"}, "X-Csrf": {"1"}},
		"fetch_of_a_sandbox_today":    {"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}, "X-Csrf": {"1"}},
		"fetch_of_another_port":       {"Origin": {"http://127.0.0.1:1"}, "X-Csrf": {"1"}},
		"unknown_site":                {"Sec-Fetch-Site": {"other"}, "X-Csrf": {"1"}},
		"two_sites":                   {"Sec-Fetch-Site": {"cross-site", "same-origin"}, "X-Csrf": {"1"}},
		"own_origin_without_header":   {"Sec-Fetch-Site": {"same-origin"}},
		"own_origin_and_empty_header": {"Sec-Fetch-Site": {"same-origin"}, "X-Csrf": {""}},
		"typed_in_without_header":     {"Sec-Fetch-Site": {"none"}},
		"other_method_in_a_header":    {"Content-Type": {form}, "X-Http-Method-Override": {"DELETE"}},
	}
}

// Pages of others change nothing with the session of a browser that shows them.
func TestCrossSiteRequests(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := s.login(t, "alice")
	cookies := s.cookies(t, b)
	targets := []struct {
		method, path, body string
		status             int
	}{
		{http.MethodPost, "/v1/orders", gatewaytest.OrderFor("alice"), http.StatusCreated},
		{http.MethodDelete, getAlice, "", http.StatusNoContent},
		{http.MethodPost, "/auth/logout", "", http.StatusOK},
		{http.MethodPost, "/auth/logout?everywhere=true", "", http.StatusOK},
	}

	for name, header := range crossSite() {
		for _, target := range targets {
			res := s.Do(t, target.method, target.path, plus(cookies, header), target.body)
			if res.Status != http.StatusForbidden || res.Header["Set-Cookie"] != nil {
				t.Errorf("%s: %s %s: %d %s", name, target.method, target.path, res.Status, res.Body)
			}
		}
	}

	if calls := s.TakeCalls(); len(calls) != 0 {
		t.Errorf("calls %v", gatewaytest.RPCs(calls))
	}

	s.mustLive(t, b, "alice")

	for _, target := range targets[:3] {
		if res := s.send(t, b, target.method, target.path, target.body); res.Status != target.status {
			t.Errorf("without an attack: %s %s: %d %s", target.method, target.path, res.Status, res.Body)
		}
	}

	s.mustEnd(t, b)
}

// A request with a token is no reason to end the session of its cookie without a check.
func TestCrossSiteLogoutWithAToken(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	s := startOf(t, i, nil)
	b := s.login(t, "alice")
	token := s.As(t, "bob")

	for name, header := range map[string]http.Header{
		"no_header":  {},
		"cross_site": {"Sec-Fetch-Site": {"cross-site"}, "X-Csrf": {"1"}},
	} {
		if res := s.Do(t, http.MethodPost, "/auth/logout", plus(token, s.cookies(t, b), header), ""); res.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	s.mustLive(t, b, "alice")
}

// Browsers ask before a page of another origin may send the header, or read a response.
func TestPreflight(t *testing.T) {
	t.Parallel()

	const trusted, evil = "http://pages.localhost:9", "http://evil.localhost:9"

	s := startOf(t, startScripted(t, nil), func(c *config.Config) {
		c.CORS = config.CORS{
			AllowedOrigins: []string{trusted}, AllowCredentials: true, AllowedHeaders: []string{"X-Csrf", "Content-Type"},
		}
	})
	b := s.login(t, "alice")

	for _, path := range []string{"/v1/orders", "/auth/logout"} {
		for origin, granted := range map[string]bool{trusted: true, evil: false, "null": false} {
			res := s.Do(t, http.MethodOptions, path, http.Header{
				"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type,x-csrf"},
			}, "")
			if got := res.Header.Get("Access-Control-Allow-Origin") == origin; got != granted {
				t.Errorf("%s: %s: %v", path, origin, res.Header)
			}
		}
	}

	for origin, status := range map[string]int{evil: http.StatusForbidden, trusted: http.StatusCreated} {
		header := plus(s.cookies(t, b), csrf(), http.Header{"Origin": {origin}, "Sec-Fetch-Site": {"same-site"}})
		if res := s.Do(t, http.MethodPost, "/v1/orders", header, gatewaytest.OrderFor("alice")); res.Status != status {
			t.Errorf("%s: %d %s", origin, res.Status, res.Body)
		}
	}
}
