package sessions_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

// endAtIssuer logs in at another client, which then ends the session of the browser at the issuer.
func (s *site) endAtIssuer(t *testing.T, b *openidtest.Browser) {
	t.Helper()

	tokens := s.otherLogin(t, b, "nobody, since the browser has a session")

	visit := b.Open(t, s.issuer.URL+"/session/end?"+url.Values{
		"id_token_hint": {tokens["id_token"].(string)}, "post_logout_redirect_uri": {otherCallback},
	}.Encode(), "", openidtest.Before("/callback"))
	if visit.Next == nil {
		t.Fatalf("no logout: %s", visit)
	}
}

// A logout at the gateway leads to the issuer and back, and ends the session there as well.
func TestLogout(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := s.login(t, "alice")

	res := s.send(t, b, http.MethodPost, "/auth/logout", "")

	var out struct {
		URL string `json:"logout_url"`
	}
	if err := json.Unmarshal([]byte(res.Body), &out); err != nil || res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	s.mustEnd(t, b)

	if visit := b.Open(t, out.URL, "", nil); visit.Last().URL().String() != s.URL+"/" {
		t.Errorf("the logout does not lead back: %s", visit)
	}

	// The issuer asks who it is.
	login := b.Login(t, s.URL, getAlice, "bob")
	login.Find(t, "a form", func(step openidtest.Step) bool { return step.Form.Has("login") })

	if got := s.state(t, b)["subject"]; got != "bob" {
		t.Errorf("the session is that of %v", got)
	}

	gatewaytest.Eventually(t, "revocation", func() bool { return s.issuer.Counts(t)["revocation 200"] == 1 })
}

// Without a logout at the issuer, the next login asks for nothing.
func TestLogoutAtTheGatewayOnly(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := s.login(t, "alice")
	before := b.Jar.Cookie(t, s.URL, sessionCookie)

	s.send(t, b, http.MethodPost, "/auth/logout", "")
	s.mustEnd(t, b)
	b.Login(t, s.URL, getAlice, "bob")

	if got := s.state(t, b)["subject"]; got != "alice" {
		t.Errorf("the session is that of %v", got)
	}

	if b.Jar.Cookie(t, s.URL, sessionCookie) == before {
		t.Error("it is the same session")
	}
}

// A session ends at the gateway even if the issuer cannot be told.
func TestLogoutWhileTheIssuerIsDown(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b := s.login(t, "alice")
	s.issuer.Down(t)

	if res := s.send(t, b, http.MethodPost, "/auth/logout", ""); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	s.mustEnd(t, b)
}

// A logout at another client of the issuer ends the sessions of that browser, and no other (back-channel logout).
func TestBackchannelLogout(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b, elsewhere, bob := s.login(t, "alice"), s.login(t, "alice"), s.login(t, "bob")

	s.endAtIssuer(t, b)
	s.mustEnd(t, b)

	for name, other := range map[string]*openidtest.Browser{"alice_elsewhere": elsewhere, "bob": bob} {
		if res := s.get(t, other, echo); res.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}
}

// A logout everywhere ends the sessions of the user in all browsers.
func TestLogoutEverywhere(t *testing.T) {
	t.Parallel()

	s := start(t, nil, nil)
	b, elsewhere, bob := s.login(t, "alice"), s.login(t, "alice"), s.login(t, "bob")

	if res := s.send(t, b, http.MethodPost, "/auth/logout?everywhere=true", ""); res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	s.mustEnd(t, b)
	s.mustEnd(t, elsewhere)

	if res := s.get(t, bob, echo); res.Status != http.StatusOK {
		t.Errorf("bob: %d %s", res.Status, res.Body)
	}
}
