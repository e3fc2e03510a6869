package command_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"github.com/portico-gateway/portico/bff/e2e/browsertest"
)

var openIDPattern = regexp.MustCompile(`OpenID\s+(http://localhost:(\d+)/portico-dev)`)

// relyingParty is a client of the OpenID provider of `portico dev`, which hears of codes and of logouts.
type relyingParty struct {
	oauth2.Config

	codes   chan url.Values
	logouts chan string
}

func startRelyingParty(t *testing.T, issuer string) *relyingParty {
	t.Helper()

	const answers = 10

	r := &relyingParty{codes: make(chan url.Values, answers), logouts: make(chan string, answers)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /auth/callback", func(w http.ResponseWriter, req *http.Request) {
		r.codes <- req.URL.Query()
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><link rel="icon" href="data:,"><title>x</title><p id="back">back</p>`))
	})
	mux.HandleFunc("POST /auth/backchannel-logout", func(_ http.ResponseWriter, req *http.Request) {
		r.logouts <- req.PostFormValue("logout_token")
	})

	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	r.Config = oauth2.Config{
		ClientID: "portico-web", ClientSecret: "portico-dev-secret", RedirectURL: server.URL + "/auth/callback",
		Scopes:   []string{"openid", "profile", "offline_access", "users:admin", "orders:admin"},
		Endpoint: oauth2.Endpoint{AuthURL: issuer + "/authorize", TokenURL: issuer + "/token", AuthStyle: oauth2.AuthStyleInHeader},
	}

	return r
}

// A user logs in by a button, and the gateway accepts the token.
func TestOpenIDProviderOfDev(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())

	found := openIDPattern.FindStringSubmatch(p.stdout.String())
	if found == nil {
		t.Fatalf("the welcome does not name the provider: %s", p.stdout)
	}

	issuer, party, verifier := found[1], startRelyingParty(t, found[1]), oauth2.GenerateVerifier()
	asking := party.AuthCodeURL("the state", oauth2.S256ChallengeOption(verifier))

	page := browsertest.Open(t)
	page.Phone()
	page.Do(chromedp.Navigate(asking), chromedp.WaitVisible(chromedp.CSS(`button[value="admin"]`)))
	readable(t, page, "login")

	if page.Overflow() > 0 {
		t.Errorf("the login page is too wide for a phone: %v", page.Sideways())
	}

	page.Do(chromedp.Click(chromedp.CSS(`button[value="admin"]`)), chromedp.WaitVisible(chromedp.CSS(`#back`)))

	response := <-party.codes
	if response.Get("state") != "the state" || response.Get("iss") != issuer {
		t.Errorf("response: %v", response)
	}

	token, err := party.Exchange(t.Context(), response.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}

	// What admin may and alice may not.
	want(t, "as admin", call(t, http.MethodGet, p.url+"/v1/users", token.AccessToken, ""), http.StatusOK)

	// The gateway's own login is with this provider.
	login := openUnfollowed(t, p.url+"/auth/login")
	if to := login.Get("Location"); !strings.HasPrefix(to, issuer+"/authorize?") || !strings.Contains(to, "client_id=portico-web") {
		t.Errorf("the gateway's login leads to %q", to)
	}

	// The provider remembers the user until the logout, and sends the client a logout token.
	page.Do(chromedp.Navigate(asking), chromedp.WaitVisible(chromedp.CSS(`#back`)))
	<-party.codes

	page.Do(chromedp.Navigate(issuer+"/end_session"), chromedp.WaitVisible(chromedp.CSS(`button`)))
	readable(t, page, "log-out")
	page.Do(chromedp.Click(chromedp.CSS(`button`)), chromedp.WaitNotPresent(chromedp.CSS(`button`)))

	if parts := strings.Split(<-party.logouts, "."); len(parts) != 3 {
		t.Errorf("logout token: %v", parts)
	}

	readable(t, page, "logged-out")
	page.Do(chromedp.Navigate(asking), chromedp.WaitVisible(chromedp.CSS(`button[value="alice"]`)))
}

// openUnfollowed returns the headers of a response that may be a redirect.
func openUnfollowed(t *testing.T, target string) http.Header {
	t.Helper()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}

	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}

	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}

	return res.Header
}

func TestAddressOfTheOpenIDProvider(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	port := openIDPattern.FindStringSubmatch(p.stdout.String())[2]

	// Whatever a browser takes for localhost.
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			continue // There is no IPv6.
		}

		_ = l.Close()

		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Errorf("%s: %v", host, err)

			continue
		}

		_ = conn.Close()
	}

	_, errs, code := portico(t, "dev", "--data-dir", t.TempDir(), "--openid-address", "127.0.0.1:"+port)
	if code != 1 || !strings.Contains(errs, "OpenID provider (--openid-address): ") || !strings.Contains(errs, "address already in use") {
		t.Errorf("exit %d: %s", code, errs)
	}

	off := startDevPrepared(t, raced, t.TempDir(), func(*exec.Cmd) {}, "--openid-address", "-")
	if !regexp.MustCompile(`OpenID +off\n`).MatchString(off.stdout.String()) {
		t.Errorf("welcome: %s", off.stdout)
	}
}
