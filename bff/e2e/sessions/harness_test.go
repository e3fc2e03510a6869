package sessions_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testhook"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

const (
	// clientID is the gateway at the issuer, and clientSecret what it authenticates with.
	clientID     = "portico"
	clientSecret = "the secret of the gateway"
	// audience is that of access tokens which are JWTs.
	audience = "https://api.example"

	sessionCookie = "__Host-portico-session"
	loginCookie   = "__Host-portico-login"

	// getAlice is a route for its owner, and whose may be called without a limit.
	getAlice = "/v1/users/alice"
	echo     = "/v1/echo/x"
)

// object is a JSON object.
type object = map[string]any

// csrf is the header without which a request with a session changes nothing.
func csrf() http.Header { return http.Header{"X-Csrf": {"1"}} }

// site is a gateway whose browsers log in at an issuer.
type site struct {
	*gatewaytest.Site

	issuer *servers.Issuer
	config config.Config
}

// place is where a gateway will listen. Its URL is known before there is a gateway, as issuers need it.
type place struct {
	server *httptest.Server
	url    string
}

func newPlace(t *testing.T) place {
	t.Helper()

	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)

	return place{server: server, url: "http://" + server.Listener.Addr().String()}
}

// start starts an issuer and a gateway. Either change may be nil.
func start(t *testing.T, changeIssuer func(*servers.IssuerConfig), change func(*config.Config)) *site {
	t.Helper()

	at := newPlace(t)
	issuer := startIssuer(t, at.url, changeIssuer)

	return startGateway(t, at, issuer, at.url, change)
}

// startIssuer starts an issuer for gateways that browsers see under a public URL.
func startIssuer(t *testing.T, publicURL string, change func(*servers.IssuerConfig)) *servers.Issuer {
	t.Helper()

	cfg := servers.IssuerConfig{
		Clients: []servers.IssuerClient{
			{
				ID: clientID, Secret: clientSecret, RedirectURIs: []string{publicURL + "/auth/callback"},
				PostLogoutRedirectURIs: []string{publicURL + "/"}, BackchannelLogoutURI: publicURL + "/auth/backchannel-logout",
				BackchannelSession: true,
			},
			{ID: otherClient, Auth: "none", RedirectURIs: []string{otherCallback}, PostLogoutRedirectURIs: []string{otherCallback}},
		},
		Accounts: map[string]map[string]any{
			"alice": {"name": "Alice", "email": "alice@example.com", "roles": []string{"customer", "tester"}, "tenant": "acme"},
			"bob":   {"name": "Bob", "roles": []string{"customer"}, "tenant": "acme"},
		},
		Resource: audience, Scopes: []string{"orders:read", "users:admin"},
	}
	if change != nil {
		change(&cfg)
	}

	return servers.StartIssuer(t, cfg)
}

// startGateway starts a gateway at a place, with sessions of the issuer.
func startGateway(t *testing.T, at place, issuer *servers.Issuer, publicURL string, change func(*config.Config)) *site {
	t.Helper()

	out := &site{issuer: issuer}

	// Files are looked at often.
	ctx := testhook.With(t.Context(), func(h *testhook.Hooks) { h.TLSInterval = 5 * time.Millisecond })

	s := gatewaytest.StartIn(ctx, t, func(c *config.Config) {
		c.Overload.TargetDelay = time.Hour // Nothing is refused because the machine is busy, also after a reload.
		c.Limits.Client = config.Rate{Requests: 1_000_000, Burst: 1_000_000}
		c.Auth.Issuers = append(c.Auth.Issuers, config.Issuer{Issuer: issuer.URL, Audiences: []string{audience}})
		c.Auth.Sessions = config.Sessions{
			Issuer: issuer.URL, ClientID: clientID, ClientSecret: clientSecret, PublicURL: publicURL,
			Scopes: []string{"openid", "profile", "email", "orders:read"},
		}

		if change != nil {
			change(c)
		}

		out.config = *c
	})
	out.Site, s.URL = s, at.url

	at.server.Config.Handler = s.Gateway
	at.server.Start()
	// Before the gateway is closed.
	t.Cleanup(func() {
		s.Gateway.Drain()
		at.server.Close()

		if t.Failed() {
			t.Log(s.Logs)
		}
	})

	return out
}

// reload reloads the gateway with a change.
func (s *site) reload(t *testing.T, change func(*config.Config)) {
	t.Helper()

	changed := s.config
	change(&changed)

	if err := s.Gateway.Reload(t.Context(), changed); err != nil {
		t.Fatal(err)
	}
}

// login returns a browser in which a user has logged in.
func (s *site) login(t *testing.T, user string) *openidtest.Browser {
	t.Helper()

	b := openidtest.New(t)
	b.Login(t, s.URL, getAlice, user)

	return b
}

// get is a request of a page's script.
func (s *site) get(t *testing.T, b *openidtest.Browser, path string) gatewaytest.Response {
	t.Helper()

	return response(b.Fetch(t, http.MethodGet, s.URL+path, nil, ""))
}

// send is a request of a page's script that changes something.
func (s *site) send(t *testing.T, b *openidtest.Browser, method, path, body string) gatewaytest.Response {
	t.Helper()

	return response(b.Fetch(t, method, s.URL+path, csrf(), body))
}

func response(step openidtest.Step) gatewaytest.Response {
	return gatewaytest.Response{Status: step.Status, Header: step.Header, Body: step.Body}
}

// refreshes is how many refreshes the issuer has granted.
func (s *site) refreshes(t *testing.T) int {
	t.Helper()

	return s.issuer.Counts(t)["token refresh_token 200"]
}

// mustEnd checks that the browser has no session any more, and learns where to log in.
func (s *site) mustEnd(t *testing.T, b *openidtest.Browser) {
	t.Helper()

	res := s.get(t, b, getAlice)
	if res.Status != http.StatusUnauthorized || res.Problem(t)["login"] != "/auth/login" {
		t.Errorf("after the end of the session: %d %s", res.Status, res.Body)
	}

	if res := s.get(t, b, "/auth/session"); res.Status != http.StatusUnauthorized || res.Problem(t)["login"] != "/auth/login" {
		t.Errorf("/auth/session after the end of the session: %d %s", res.Status, res.Body)
	}
}

// Another client of the issuer, a public one. Nothing listens at its callback.
const (
	otherClient   = "other"
	otherCallback = "http://127.0.0.1:1/callback"
	// The verifier and the challenge of RFC 7636, appendix B.
	otherVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	otherChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// otherLogin logs in at the other client, and returns the token response. The browser may have a session at the issuer already.
func (s *site) otherLogin(t *testing.T, b *openidtest.Browser, user string) object {
	t.Helper()

	visit := b.Open(t, s.issuer.URL+"/auth?"+url.Values{
		"client_id": {otherClient}, "redirect_uri": {otherCallback}, "response_type": {"code"},
		"scope": {"openid profile email orders:read"}, "code_challenge": {otherChallenge}, "code_challenge_method": {"S256"},
	}.Encode(), user, openidtest.Before("/callback"))
	if visit.Next == nil {
		t.Fatalf("no login: %s", visit)
	}

	res, err := http.PostForm(s.issuer.URL+"/token", url.Values{
		"client_id": {otherClient}, "grant_type": {"authorization_code"}, "code": {visit.Next.Query().Get("code")},
		"code_verifier": {otherVerifier}, "redirect_uri": {otherCallback},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	var tokens object
	if err := json.NewDecoder(res.Body).Decode(&tokens); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v: %v", res.Status, err, tokens)
	}

	return tokens
}

// bearer returns the header of a client that has an access token of the issuer.
func (s *site) bearer(t *testing.T, user string) http.Header {
	t.Helper()

	return http.Header{"Authorization": {"Bearer " + s.otherLogin(t, openidtest.New(t), user)["access_token"].(string)}}
}

// with returns a change of the gateway's client.
func with(change func(*servers.IssuerClient)) func(*servers.IssuerConfig) {
	return func(c *servers.IssuerConfig) {
		c.Clients = slices.Clone(c.Clients)
		change(&c.Clients[0])
	}
}

// lifetime returns a change of the lifetime of access tokens.
func lifetime(d time.Duration) func(*servers.IssuerConfig) {
	return func(c *servers.IssuerConfig) { c.TTL = map[string]int{"AccessToken": int(d.Seconds())} }
}
