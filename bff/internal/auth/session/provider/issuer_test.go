package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/config"
)

const clientID = "portico"

// issuer is an OpenID provider that does as a test says. Its clock is that of the test.
type issuer struct {
	testing.TB

	url string
	key *ecdsa.PrivateKey
	// metadata is its discovery document, which a test may change.
	metadata map[string]any
	// endpoints reply to what is not discovery or keys.
	endpoints map[string]http.HandlerFunc

	mu sync.Mutex
	// requests are the paths that were asked for.
	requests []string
	// down replies with 503.
	down bool
	// kid is the name of the key.
	kid string
}

func newIssuer(tb testing.TB, url string) *issuer {
	tb.Helper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}

	return &issuer{
		TB: tb, url: url, key: key, kid: "first", endpoints: map[string]http.HandlerFunc{}, metadata: map[string]any{
			"issuer": url, "authorization_endpoint": url + "/authorize", "token_endpoint": url + "/token", "jwks_uri": url + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
		},
	}
}

// ServeHTTP implements http.Handler.
func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.requests = append(i.requests, r.URL.Path)
	down, kid := i.down, i.kid
	i.mu.Unlock()

	switch endpoint, ok := i.endpoints[r.URL.Path]; {
	case down:
		http.Error(w, "the text of an outage", http.StatusServiceUnavailable)
	case ok:
		endpoint(w, r)
	case r.URL.Path == "/.well-known/openid-configuration":
		reply(w, http.StatusOK, i.metadata)
	case r.URL.Path == "/keys":
		reply(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: kid, Algorithm: "ES256", Use: "sig"}}})
	default:
		http.NotFound(w, r)
	}
}

// set changes it while requests are made.
func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()

	change()
}

// count is how often a path was asked for.
func (i *issuer) count(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()

	n := 0

	for _, each := range i.requests {
		if each == path {
			n++
		}
	}

	return n
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// claims are those of a valid ID token, with changes; nil removes one.
func (i *issuer) claims(change map[string]any) jwt.MapClaims {
	claims := jwt.MapClaims{
		"iss": i.url, "aud": clientID, "sub": "alice", "nonce": "the nonce", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	maps.Copy(claims, change)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })

	return claims
}

func (i *issuer) sign(claims jwt.MapClaims) string {
	i.Helper()

	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = i.kid

	text, err := token.SignedString(i.key)
	if err != nil {
		i.Fatal(err)
	}

	return text
}

// issues has the token endpoint reply with tokens. A change of nil removes one.
func (i *issuer) issues(change map[string]any) {
	i.Helper()

	body := map[string]any{
		"access_token": "access", "token_type": "Bearer", "expires_in": 300, "refresh_token": "refresh", "id_token": i.sign(i.claims(nil)),
	}
	maps.Copy(body, change)
	maps.DeleteFunc(body, func(_ string, v any) bool { return v == nil })

	i.endpoints["/token"] = func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, body) }
}

// start serves it on loopback.
func start(t *testing.T) *issuer {
	t.Helper()

	server := httptest.NewUnstartedServer(nil)
	i := newIssuer(t, "http://"+server.Listener.Addr().String())
	server.Config.Handler = i
	server.Start()
	t.Cleanup(server.Close)

	return i
}

func (i *issuer) settings() config.Sessions {
	s := config.Auth{Sessions: config.Sessions{Issuer: i.url, ClientID: clientID, Scopes: []string{"openid", "email"}}}

	return s.WithDefaults().Sessions
}

// client is a Provider of it, with a secret.
func (i *issuer) client(change func(*config.Sessions)) *Provider {
	cfg := i.settings()
	if change != nil {
		change(&cfg)
	}

	p := New(cfg, func() string { return cfg.ClientSecret })
	i.Cleanup(func() { _ = p.Close() })

	return p
}

// inMemory are requests to a handler without a network, for virtual time.
type inMemory struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	m.handler.ServeHTTP(recorder, r)

	return recorder.Result(), nil
}

func login() Login {
	return Login{State: "the state", Nonce: "the nonce", Verifier: "the verifier", RedirectURL: "https://app.example/auth/callback"}
}

func queryOf(tb testing.TB, text string) url.Values {
	tb.Helper()

	u, err := url.Parse(text)
	if err != nil {
		tb.Fatal(err)
	}

	return u.Query()
}
