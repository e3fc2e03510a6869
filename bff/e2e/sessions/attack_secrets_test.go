package sessions_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

// What is secret is in no log, metric, configuration that the admin listener shows, or response that is not about it.
func TestSecretsAreNotTold(t *testing.T) {
	t.Parallel()

	key := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	i := startScripted(t, nil)
	i.life = 2 * time.Second // A refresh comes after half of it.
	s := startOf(t, i, func(c *config.Config) {
		soon(c)

		c.Auth.Sessions.Keys = []string{key}
	})

	b := openidtest.New(t)
	secrets := map[string]string{"client secret": clientSecret, "key": key}
	seen := secretsOfARun(t, s, i, b, secrets)

	i.mu.Lock()
	defer i.mu.Unlock()

	if len(i.issued) < 10 {
		t.Fatalf("the run had %d secrets", len(i.issued))
	}

	for _, text := range i.issued {
		secrets["of the issuer: "+text] = text
	}

	for what, secret := range secrets {
		for where, text := range seen {
			if secret == "" || strings.Contains(text, secret) || strings.Contains(text, url.QueryEscape(secret)) {
				t.Errorf("%s %q is in %s: %.3000s", what, secret, where, text)
			}
		}
	}
}

// secretsOfARun logs in, calls, refreshes, fails and logs out, adds what the browser had to the secrets, and returns what others
// see.
func secretsOfARun(t *testing.T, s *site, i *scripted, b *openidtest.Browser, secrets map[string]string) map[string]string {
	t.Helper()

	seen := map[string]string{}
	see := func(name string, res gatewaytest.Response) {
		var header strings.Builder

		res.Header.Del("Set-Cookie")
		res.Header.Del("Location")

		if err := res.Header.Write(&header); err != nil {
			t.Fatal(err)
		}

		seen[name] = header.String() + res.Body
	}

	replayed := b.Callback(t, s.URL, getAlice, "alice")
	secrets["login cookie"] = b.Jar.Cookie(t, s.URL, loginCookie)

	for name, change := range map[string]func(url.Values){
		"code":  func(query url.Values) { query.Del("code") },
		"state": func(query url.Values) { query.Add("state", "x") },
		"error": func(query url.Values) { query.Set("error", "access_denied") },
		"wrong": func(query url.Values) { query.Set("state", "x"+query.Get("state")) },
	} {
		for _, accept := range []string{"text/html", "application/json"} {
			address := changed(t, b.Callback(t, s.URL, getAlice, "alice"), change)
			see("callback "+name+accept, response(b.Fetch(t, http.MethodGet, address, http.Header{"Accept": {accept}}, "")))
		}
	}

	if !s.callback(t, b, replayed) || s.callback(t, b, replayed) {
		t.Fatal("no login")
	}

	secrets["session cookie"] = b.Jar.Cookie(t, s.URL, sessionCookie)

	see("a call", s.get(t, b, getAlice))
	gatewaytest.Eventually(t, "refresh", func() bool {
		return s.get(t, b, getAlice).Status == http.StatusOK && i.count("refresh_token") > 0
	})
	two := http.Header{"Cookie": {s.cookies(t, b).Get("Cookie"), sessionCookie + "=x"}}
	see("a call with two cookies", s.Do(t, http.MethodGet, getAlice, two, ""))
	see("the session", s.get(t, b, "/auth/session"))
	see("a forged call", s.Do(t, http.MethodPost, "/v1/orders", s.cookies(t, b), gatewaytest.OrderFor("alice")))
	see("a wrong path", s.get(t, b, "/none"))
	see("a wrong logout token", s.backchannel(t, "logout_token="+i.sign(t, nil)))

	for _, path := range []string{"/metrics", "/config", "/status", "/routes"} {
		seen["the admin's "+path] = gatewaytest.AdminGet(t, s.Gateway, path).Body
	}

	if !strings.Contains(seen["the admin's /metrics"], "portico_session_events_total") ||
		!strings.Contains(seen["the admin's /config"], clientID) {
		t.Error("the admin listener shows less than it should")
	}

	see("the logout", s.send(t, b, http.MethodPost, "/auth/logout", ""))
	seen["the log"] = s.Logs.String()

	if !strings.Contains(seen["the log"], "/auth/callback") {
		t.Errorf("the log has nothing of logins: %s", seen["the log"])
	}

	return seen
}
