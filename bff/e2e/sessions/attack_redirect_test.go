package sessions_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

// elsewhere are places that are not the gateway's, for one browser or another.
func elsewhere() []string {
	return []string{
		"https://evil.example", "http://evil.example/", "//evil.example", "///evil.example", "////evil.example", `/\evil.example`,
		`\\evil.example`, `\/evil.example`, `/\/evil.example`, "/\t/evil.example", "/\n/evil.example", "\t//evil.example",
		" //evil.example", "/\r\nLocation: //evil.example", "/x\r\nSet-Cookie: a=b", "https:evil.example", "https:/evil.example",
		"http:///evil.example", "HTTPS://evil.example", "javascript:alert(1)", "JavaScript://%0aalert(1)", "data:text/html,x",
		"vbscript:x", "evil.example", "@evil.example", ".evil.example", ":80", "?x", "#x", "", "x", "./x", "../x", "/x\x00",
		"/\u2028/evil.example", "/\u00a0", "//evil.example\\@app.example.com", "https://app.example.com@evil.example",
		"https://app.example.com.evil.example", "https://app.example.com:444", "https://app.example.com\\.evil.example",
		"https://user@app.example.com/", "http://app.example.com/", "//app.example.com", "https://APP.example.com", "/auth/login",
		"/auth/login?return_to=/x", "/auth/login/", "/auth/callback", "/auth/callback?code=x&state=y", "/auth/%6cogin",
		"/" + strings.Repeat("x", 2000), "/%zz",
	}
}

// A login leads to the gateway, or to the pages that are configured.
func TestOpenRedirect(t *testing.T) {
	t.Parallel()

	const pages = "https://app.example.com"

	s := startOf(t, startScripted(t, nil), func(c *config.Config) { c.Auth.Sessions.ReturnOrigins = []string{pages} })

	for _, place := range elsewhere() {
		res := s.Do(t, http.MethodGet, "/auth/login?"+url.Values{"return_to": {place}}.Encode(), nil, "")
		if res.Status != http.StatusBadRequest || res.Header["Location"] != nil || res.Header["Set-Cookie"] != nil {
			t.Errorf("%q: %d %s", place, res.Status, res.Header)
		}
	}

	twice := "/auth/login?return_to=/a&return_to=//evil.example"
	if res := s.Do(t, http.MethodGet, twice, nil, ""); res.Status != http.StatusBadRequest {
		t.Errorf("two places: %d", res.Status)
	}

	for place, want := range map[string]string{
		"/": s.URL + "/", "/a/b?c=d&e=//f#g": s.URL + "/a/b?c=d&e=//f#g", "/%2f%2fevil.example": s.URL + "/%2f%2fevil.example",
		"/.//evil.example": s.URL + "/.//evil.example", "/@evil.example": s.URL + "/@evil.example", pages + "/x": pages + "/x",
	} {
		b := openidtest.New(t)
		visit := b.Open(t, s.URL+"/auth/login?"+url.Values{"return_to": {place}}.Encode(), "alice", openidtest.Before("/auth/callback"))

		res := b.Fetch(t, http.MethodGet, visit.Next.String(), nil, "")
		if got := res.Header.Get("Location"); got != strings.TrimPrefix(want, s.URL) {
			t.Errorf("%s leads to %q, want %s", place, got, want)
		}
	}
}

// A state cannot be made or changed by anyone else, nor by a gateway with other keys.
func TestTamperedState(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	s, foreign := startOf(t, i, nil), startOf(t, i, nil)
	b := openidtest.New(t)
	address := b.Callback(t, s.URL, "/", "alice")
	state := parameter(t, address, "state")

	tampered := map[string]string{
		"empty": "", "text": `{"r":"//evil.example"}`, "encoded": base64.RawURLEncoding.EncodeToString([]byte(`{"r":"//evil.example"}`)),
		"cut": state[:len(state)-1], "longer": state + "AAAA", "padded": state + "=", "twice": state + state, "short": state[:20],
		"session": b.Jar.Cookie(t, s.URL, loginCookie), "of_other_keys": parameter(t, b.Callback(t, foreign.URL, "/", "alice"), "state"),
	}

	for n := range state {
		tampered[strings.Repeat("x", n)] = state[:n] + other(state[n]) + state[n+1:]
	}

	for name, text := range tampered {
		target := changed(t, address, func(query url.Values) { query.Set("state", text) })

		if res := b.Fetch(t, http.MethodGet, target, nil, ""); res.Status != http.StatusBadRequest || res.Header["Set-Cookie"] != nil {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	if i.count("authorization_code") != 0 {
		t.Error("a code was exchanged")
	}

	if !s.callback(t, b, address) {
		t.Error("without an attack the login is refused")
	}
}

// The host of a request is not where a browser is sent to.
func TestHostOfRequest(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	forwarded := http.Header{
		"X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"host=evil.example;proto=https"},
		"X-Forwarded-Prefix": {"/evil"}, "X-Original-Url": {"//evil.example"}, "X-Host": {"evil.example"},
	}

	for name, public := range map[string]bool{"public_url": true, "no_public_url": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := startOf(t, i, func(c *config.Config) {
				if !public {
					c.Auth.Sessions.PublicURL = ""
					c.Server.Address = "127.0.0.1:0"
				}
			})

			for _, host := range []string{
				"", "evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1@evil.example",
				"localhost:1", "[::1]:80",
			} {
				origin, status := redirectOrigin(t, s, host, forwarded)

				switch loopback := host == "" || host == "localhost:1" || host == "[::1]:80"; {
				case public && status == http.StatusBadRequest && strings.Contains(host, "@"): // It is no host.
				case (public || host == "") && origin != s.URL:
					t.Errorf("%q: the issuer redirects to %q, %d", host, origin, status)
				case !public && loopback && host != "" && origin != "http://"+host:
					t.Errorf("%q: the issuer redirects to %q, %d", host, origin, status)
				case !public && !loopback && (origin != "" || status != http.StatusBadRequest):
					t.Errorf("%q: the issuer redirects to %q, %d", host, origin, status)
				}
			}
		})
	}
}

// redirectOrigin is where a login that begins under a host would lead, if it begins.
func redirectOrigin(t *testing.T, s *site, host string, header http.Header) (origin string, status int) {
	t.Helper()

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/auth/login", nil)
	if err != nil {
		t.Fatal(err)
	}

	req.Header = header.Clone()
	if host != "" {
		req.Host = host
	}

	step := openidtest.New(t).Do(t, req)
	if step.Location() == nil {
		return "", step.Status
	}

	redirect, err := url.Parse(step.Location().Query().Get("redirect_uri"))
	if err != nil || redirect.Path != "/auth/callback" {
		t.Errorf("%v: redirect_uri %s", err, redirect)
	}

	return redirect.Scheme + "://" + redirect.Host, step.Status
}
