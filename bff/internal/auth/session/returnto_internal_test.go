package session

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// Where a login may lead: to paths of the gateway, and to the origins that the settings name.
func TestReturnTo(t *testing.T) {
	t.Parallel()

	s := &Sessions{cfg: config.Sessions{PublicURL: "https://app.example", ReturnOrigins: []string{"https://admin.example", "http://localhost:5173"}}}

	for _, text := range []string{
		"/", "/app", "/app?a=b&c=//evil.example", "/app#https://evil.example", "/a//b", "/%2F%2Fevil.example", "/%5Cevil.example", "/.//x", "/auth/loginx",
		"/auth", "/auth/logout", "/search?q=%0d%0a", "/@evil.example", "https://admin.example", "https://admin.example/a?b=c", "http://localhost:5173/",
		"/" + strings.Repeat("a", maxReturn-1),
	} {
		if got, err := s.returnTo(url.Values{"return_to": {text}}); err != nil || got != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}

	for _, text := range []string{
		"", "app", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "\t//evil.example", " //evil.example",
		"/\n/evil.example", "/\r\nSet-Cookie: a=b", "/a\x00b", "/ä", "/a b", "https://evil.example", "https://app.example.evil.example/",
		"https://admin.example.evil.example", "https://admin.example@evil.example", "https://user@admin.example/", "https://admin.example:443/",
		"http://admin.example/", "https://admin.example.", "https:admin.example", "https:/admin.example", "https:///admin.example", "https://",
		"HTTPS://evil.example", "//admin.example", "javascript:alert(1)", "JavaScript:alert(1)//", "data:text/html,x", "mailto:a@b", "localhost:5173/",
		"/auth/login", "/auth/login?return_to=/", "/auth/callback", "/auth/login/", "/./auth/login", "/auth/../auth/login", "/%61uth/login", "//auth/login",
		"/auth//login", "?a=b", "#a", "*", "/%", "/%zz", "https://[::1", "/" + strings.Repeat("a", maxReturn),
	} {
		if got, err := s.returnTo(url.Values{"return_to": {text}}); err == nil {
			t.Errorf("%q leads to %q", text, got)
		}
	}

	if got, err := s.returnTo(url.Values{}); got != "/" || err != nil {
		t.Errorf("without one: %q, %v", got, err)
	}

	if _, err := s.returnTo(url.Values{"return_to": {"/a", "/b"}}); err == nil {
		t.Error("there may be two")
	}
}

func TestReturnToIsRefused(t *testing.T) {
	t.Parallel()
	with(t, nil, func(t *testing.T, s *site) { //nolint:thelper // It is the test.
		res := s.browser().send(http.MethodGet, LoginPath+"?return_to=//evil.example")
		if res.Code != http.StatusBadRequest || res.Header()["Set-Cookie"] != nil || strings.Contains(res.Body.String(), "evil") {
			t.Errorf("%d %v %s", res.Code, res.Header(), res.Body)
		}
	})
}

// The provider gets a redirect URI that no client chooses, unless its host is this machine.
func TestPublicOrigin(t *testing.T) {
	t.Parallel()

	for _, tt := range []struct {
		public, host string
		tls          bool
		want         string
	}{
		{"https://app.example", "evil.example", true, "https://app.example"},
		{"", "localhost", false, "http://localhost"},
		{"", "localhost:8080", false, "http://localhost:8080"},
		{"", "127.0.0.1:8080", true, "https://127.0.0.1:8080"},
		{"", "127.1.2.3", false, "http://127.1.2.3"},
		{"", "[::1]:8080", false, "http://[::1]:8080"},
		{"", "[::1]", false, "http://[::1]"},
		{"", "evil.example", false, ""},
		{"", "localhost.evil.example", false, ""},
		{"", "localhost:80@evil.example", false, ""},
		{"", "localhost:evil", false, ""},
		{"", "localhost:99999", false, ""},
		{"", "localhost:", false, ""},
		{"", "localhost.", false, ""},
		{"", "192.0.2.1", false, ""},
		{"", "", false, ""},
	} {
		s := &Sessions{cfg: config.Sessions{PublicURL: tt.public}}
		r := &http.Request{Host: tt.host}

		if tt.tls {
			r.TLS = &tls.ConnectionState{}
		}

		if got, err := s.publicOrigin(r); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%+v: %q, %v", tt, got, err)
		}
	}
}
