package servers_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

// verifier and challenge are those of RFC 7636, appendix B.
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// relyingParty is a page that oidc-provider leads back to, and what it gets from its back channel.
type relyingParty struct {
	*httptest.Server

	logouts chan string
}

func startRelyingParty(t *testing.T) relyingParty {
	t.Helper()

	logouts := make(chan string, 10)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /logout", func(_ http.ResponseWriter, r *http.Request) { logouts <- r.PostFormValue("logout_token") })
	mux.HandleFunc("GET /", func(http.ResponseWriter, *http.Request) {})

	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	return relyingParty{server, logouts}
}

// token asks for tokens.
func token(t *testing.T, issuer *servers.Issuer, form url.Values) (int, object) {
	t.Helper()

	form.Set("client_id", "web")
	form.Set("client_secret", "secret")

	res, err := http.PostForm(issuer.URL+"/token", form)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	var doc object
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}

	return res.StatusCode, doc
}

// claims returns those of a JWT.
func claims(t *testing.T, token any) object {
	t.Helper()

	parts := strings.Split(token.(string), ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}

	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}

	var doc object
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}

	return doc
}

// A whole session at oidc-provider, without a gateway.
func TestIssuer(t *testing.T) {
	t.Parallel()

	party := startRelyingParty(t)
	issuer := servers.StartIssuer(t, servers.IssuerConfig{
		Clients: []servers.IssuerClient{{
			ID: "web", Secret: "secret", Auth: "client_secret_post", RedirectURIs: []string{party.URL + "/callback"},
			PostLogoutRedirectURIs: []string{party.URL + "/out"}, BackchannelLogoutURI: party.URL + "/logout", BackchannelSession: true,
		}},
		Accounts: map[string]map[string]any{"alice": {"name": "Alice", "roles": []string{"admin"}, "tenant": "acme"}},
		Resource: "https://api.example", Scopes: []string{"orders:read"},
		TTL: map[string]int{"AccessToken": 3},
	})
	b := openidtest.New(t)

	visit := b.Open(t, issuer.URL+"/auth?"+url.Values{
		"client_id": {"web"}, "redirect_uri": {party.URL + "/callback"}, "response_type": {"code"}, "state": {"s"}, "nonce": {"n"},
		"scope": {"openid profile orders:read"}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}.Encode(), "alice", nil)

	query := visit.Last().URL().Query()
	if visit.Last().URL().Path != "/callback" || query.Get("iss") != issuer.URL || query.Get("state") != "s" {
		t.Fatalf("no login: %s", visit)
	}

	status, tokens := token(t, issuer, url.Values{
		"grant_type": {"authorization_code"}, "code": {query.Get("code")}, "code_verifier": {verifier}, "redirect_uri": {party.URL + "/callback"},
	})
	if status != http.StatusOK {
		t.Fatal(tokens)
	}

	access, id := claims(t, tokens["access_token"]), claims(t, tokens["id_token"])
	got := object{
		"sub": access["sub"], "aud": access["aud"], "scope": access["scope"], "roles": access["roles"], "tenant": access["tenant"],
		"lifetime": access["exp"].(float64) - access["iat"].(float64), "nonce": id["nonce"], "name": id["name"], "audience": id["aud"],
	}
	want := object{
		"sub": "alice", "aud": "https://api.example", "scope": "orders:read", "roles": []any{"admin"}, "tenant": "acme",
		"lifetime": 3.0, "nonce": "n", "name": "Alice", "audience": "web",
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	refresh := func(token any) url.Values {
		return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.(string)}}
	}

	status, next := token(t, issuer, refresh(tokens["refresh_token"]))
	if status != http.StatusOK || next["refresh_token"] == tokens["refresh_token"] {
		t.Errorf("status %d, or the refresh token is not replaced: %v", status, next)
	}

	out := b.Open(t, issuer.URL+"/session/end?"+url.Values{
		"id_token_hint": {tokens["id_token"].(string)}, "post_logout_redirect_uri": {party.URL + "/out"},
	}.Encode(), "", nil)
	if out.Last().URL().String() != party.URL+"/out" {
		t.Errorf("no logout: %s", out)
	}

	if logout := claims(t, <-party.logouts); logout["sub"] != "alice" || logout["sid"] != id["sid"] || logout["sid"] == nil {
		t.Errorf("the back channel says %v, the ID token had %v", logout, id)
	}

	if status, doc := token(t, issuer, refresh(next["refresh_token"])); status != http.StatusBadRequest || doc["error"] != "invalid_grant" {
		t.Errorf("after the logout: %d %v", status, doc)
	}

	counts := issuer.Counts(t)
	for name, want := range map[string]int{
		"POST /token": 3, "token authorization_code 200": 1, "token refresh_token 200": 1, "token refresh_token 400": 1,
	} {
		if counts[name] != want {
			t.Errorf("%q is counted %d times, not %d: %v", name, counts[name], want, counts)
		}
	}
}

// An issuer that is down answers nothing, and has forgotten nothing when it is up again.
func TestIssuerDown(t *testing.T) {
	t.Parallel()

	issuer := servers.StartIssuer(t, servers.IssuerConfig{})
	get := func() error {
		res, err := http.Get(issuer.URL + "/jwks")
		if err == nil {
			_ = res.Body.Close()
		}

		return err
	}

	if err := get(); err != nil {
		t.Fatal(err)
	}

	issuer.Down(t)

	if get() == nil {
		t.Error("it answers")
	}

	issuer.Up(t)

	if err := get(); err != nil {
		t.Error(err)
	}
}
