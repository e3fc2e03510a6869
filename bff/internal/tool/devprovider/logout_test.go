package devprovider_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/portico-gateway/portico/bff/internal/tool/devprovider"
)

// end is the URL of a logout.
func (p *party) end(tb testing.TB, parameters ...string) string {
	tb.Helper()

	query := url.Values{}
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}

	return p.endpoint(tb, "end_session_endpoint") + "?" + query.Encode()
}

func TestLogout(t *testing.T) {
	t.Parallel()

	p, b := start(t, devprovider.Options{}), newBrowser(t)

	token, err := p.config.Exchange(t.Context(), p.logIn(b, "alice").Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}

	hint, _ := token.Extra("id_token").(string)

	got := b.open(p.end(t, "id_token_hint", hint, "post_logout_redirect_uri", "http://localhost:8080/bye?x=y", "state", "s&t"))
	if want := "http://localhost:8080/bye?state=s%26t&x=y"; got.status != http.StatusSeeOther || got.at.String() != want {
		t.Errorf("%+v", got)
	}

	if got := b.open(p.authURL()); !got.isLogin() {
		t.Errorf("the user is still known: %+v", got)
	}
}

func TestLogoutsWithLess(t *testing.T) {
	t.Parallel()

	p := start(t, devprovider.Options{})
	token := p.exchange(t, "alice")

	const there = "http://localhost:8080/"

	for name, row := range map[string]struct {
		parameters []string
		status     int
		at         string
	}{
		"nothing":              {nil, http.StatusOK, ""},
		"the_client":           {[]string{"client_id", devprovider.ClientID, "post_logout_redirect_uri", there}, http.StatusSeeOther, there},
		"an_unknown_client":    {[]string{"client_id", "x", "post_logout_redirect_uri", there}, http.StatusBadRequest, ""},
		"no_client":            {[]string{"post_logout_redirect_uri", there}, http.StatusOK, ""},
		"another_site":         {[]string{"client_id", devprovider.ClientID, "post_logout_redirect_uri", "http://example.com/"}, http.StatusBadRequest, ""},
		"a_broken_hint":        {[]string{"id_token_hint", "x.y.z"}, http.StatusBadRequest, ""},
		"another_token_s_hint": {[]string{"id_token_hint", token.AccessToken + "x"}, http.StatusBadRequest, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := newBrowser(t)
			p.logIn(b, "alice")

			got := b.end(p.end(t, row.parameters...))
			if got.status != row.status || row.at != "" && got.at.String() != row.at {
				t.Errorf("%+v", got)
			}

			if ended := b.open(p.authURL()).isLogin(); ended != (row.status != http.StatusBadRequest) {
				t.Errorf("the session has ended: %t", ended)
			}
		})
	}
}

// A page of another site could send the browser there, or have it send a form.
func TestLogoutIsAskedFor(t *testing.T) {
	t.Parallel()

	p, b := start(t, devprovider.Options{}), newBrowser(t)
	p.logIn(b, "alice")

	asked := b.open(p.end(t))
	if !strings.Contains(asked.body, "Log out") {
		t.Fatalf("%+v", asked)
	}

	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, asked.at.String(), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	r.Header.Set("Sec-Fetch-Site", "cross-site")
	b.do(r)

	if got := b.open(p.authURL()); got.isLogin() {
		t.Errorf("the session has ended: %+v", got)
	}

	if got := b.press(asked, ""); !strings.Contains(got.body, "You are logged out.") || !b.open(p.authURL()).isLogin() {
		t.Errorf("%+v", got)
	}
}

// client is one that gets logout tokens.
type client struct {
	tokens chan string
	url    string
}

func startClient(tb testing.TB, status int) *client {
	tb.Helper()

	c := &client{tokens: make(chan string, 10)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /logged-out", func(w http.ResponseWriter, r *http.Request) {
		c.tokens <- r.PostFormValue("logout_token")
		w.WriteHeader(status)
	})

	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	c.url = server.URL

	return c
}

func (p *party) logInAt(b *browser, c *client, user string) string {
	b.tb.Helper()

	config := p.config
	config.RedirectURL = c.url + devprovider.CallbackPath

	got := b.open(config.AuthCodeURL("s", oauth2.S256ChallengeOption(verifier)))
	if got.isLogin() {
		got = b.press(got, user)
	}

	token, err := config.Exchange(b.tb.Context(), got.at.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		b.tb.Fatal(err)
	}

	raw, _ := token.Extra("id_token").(string)

	id, err := p.verifier().Verify(b.tb.Context(), raw)
	if err != nil {
		b.tb.Fatal(err)
	}

	var claims struct{ Sid string }
	if err := id.Claims(&claims); err != nil {
		b.tb.Fatal(err)
	}

	return claims.Sid
}

func TestBackChannelLogout(t *testing.T) {
	t.Parallel()

	p, b := start(t, devprovider.Options{BackChannelPath: "/logged-out"}), newBrowser(t)
	first, second := startClient(t, http.StatusOK), startClient(t, http.StatusNoContent)
	sid := p.logInAt(b, first, "alice")

	if got := p.logInAt(b, second, "alice"); got != sid {
		t.Errorf("sessions %q and %q of one browser", sid, got)
	}

	// One that did not redeem its code has no session.
	p.config.RedirectURL = startClient(t, http.StatusOK).url + devprovider.CallbackPath
	b.open(p.authURL())

	b.end(p.end(t))

	for _, c := range []*client{first, second} {
		raw := <-c.tokens

		token, err := p.verifier().VerifyLogout(t.Context(), raw)
		if err != nil {
			t.Fatal(err)
		}

		if token.Subject != "alice" || token.SessionID != sid || typeOf(t, raw) != "logout+jwt" {
			t.Errorf("%+v %s", token, raw)
		}
	}

	// A session ends once.
	b.end(p.end(t))

	if len(first.tokens)+len(second.tokens) != 0 {
		t.Error("logout tokens were sent twice")
	}
}

func TestChangeOfTheUserLogsOut(t *testing.T) {
	t.Parallel()

	p, b, c := start(t, devprovider.Options{BackChannelPath: "/logged-out"}), newBrowser(t), startClient(t, http.StatusOK)
	p.logInAt(b, c, "alice")
	p.logIn(b, "bob", oauth2.SetAuthURLParam("prompt", "login"))

	if token, err := p.verifier().VerifyLogout(t.Context(), <-c.tokens); err != nil || token.Subject != "alice" {
		t.Errorf("%+v %v", token, err)
	}
}

func TestLogoutTokenThatIsRefusedIsLogged(t *testing.T) {
	t.Parallel()

	var log bytes.Buffer

	p := start(t, devprovider.Options{BackChannelPath: "/logged-out", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	b, c := newBrowser(t), startClient(t, http.StatusBadRequest)
	p.logInAt(b, c, "alice")

	if got := b.end(p.end(t)); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}

	if want := "to=" + c.url + "/logged-out"; !strings.Contains(log.String(), want) || !strings.Contains(log.String(), "400 Bad Request") {
		t.Errorf("log: %s", &log)
	}
}
