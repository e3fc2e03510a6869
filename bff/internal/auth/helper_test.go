package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const (
	issuerName = "https://issuer.example"
	audience   = "portico"
	keyName    = "key-1"
)

// signer is an issuer's key.
type signer struct {
	alg, kid string
	private  crypto.Signer
}

func newSigner(tb testing.TB, alg, kid string) signer {
	tb.Helper()

	var (
		private crypto.Signer
		err     error
	)

	switch alg {
	case "RS256", "PS256":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	default:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	}

	if err != nil {
		tb.Fatal(err)
	}

	return signer{alg: alg, kid: kid, private: private}
}

// jwk is the public key as JSON, with changes: a nil value removes a member.
func (s signer) jwk(tb testing.TB, changes map[string]any) map[string]any {
	tb.Helper()

	key, err := jwkset.NewJWKFromKey(s.private.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{
		ALG: jwkset.ALG(s.alg), KID: s.kid, USE: jwkset.UseSig,
	}})
	if err != nil {
		tb.Fatal(err)
	}

	data, err := json.Marshal(key.Marshal())
	if err != nil {
		tb.Fatal(err)
	}

	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		tb.Fatal(err)
	}

	return changed(out, changes)
}

// token signs good claims with changes.
func (s signer) token(tb testing.TB, header, claims map[string]any) string {
	tb.Helper()

	return s.sign(tb, changed(map[string]any{"alg": s.alg, "kid": s.kid, "typ": "at+jwt"}, header), changed(goodClaims(), claims))
}

func (s signer) sign(tb testing.TB, header, claims any) string {
	tb.Helper()

	text := segment(tb, header) + "." + segment(tb, claims)

	signature, err := jwt.GetSigningMethod(s.alg).Sign(text, s.private)
	if err != nil {
		tb.Fatal(err)
	}

	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(tb testing.TB, value any) string {
	tb.Helper()

	data, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}

	return base64.RawURLEncoding.EncodeToString(data)
}

func goodClaims() map[string]any {
	now := time.Now()

	return map[string]any{
		"iss": issuerName, "aud": audience, "sub": "ada", "scope": "orders:read orders:write",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
}

func changed(base, changes map[string]any) map[string]any {
	out := maps.Clone(base)

	for name, value := range changes {
		if value == nil {
			delete(out, name)
		} else {
			out[name] = value
		}
	}

	return out
}

func mustJSON(tb testing.TB, value any) []byte {
	tb.Helper()

	data, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}

	return data
}

func keySetOf(tb testing.TB, signers ...signer) []byte {
	tb.Helper()

	keys := make([]any, 0, len(signers))
	for _, s := range signers {
		keys = append(keys, s.jwk(tb, nil))
	}

	return mustJSON(tb, map[string]any{"keys": keys})
}

func keyFile(tb testing.TB, data []byte) string {
	tb.Helper()

	file := filepath.Join(tb.TempDir(), "jwks.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		tb.Fatal(err)
	}

	return file
}

// trusting is the configuration for an issuer whose keys are in a file.
func trusting(tb testing.TB, signers ...signer) auth.Issuer {
	tb.Helper()

	return auth.Issuer{Issuer: issuerName, Audiences: []string{audience}, JWKSFile: keyFile(tb, keySetOf(tb, signers...))}
}

func mustNew(tb testing.TB, issuers ...auth.Issuer) *auth.Authenticator {
	tb.Helper()

	a, err := auth.New(tb.Context(), auth.Config{Issuers: issuers}, slog.New(slog.DiscardHandler))
	if err != nil {
		tb.Fatal(err)
	}

	return a
}

// caller is a principal as JSON.
type caller struct {
	Subject string   `json:"subject"`
	Issuer  string   `json:"issuer"`
	Scopes  []string `json:"scopes"`
	Roles   []string `json:"roles"`
	Tenant  string   `json:"tenant"`
}

// start serves who the caller is, on a real listener.
func start(tb testing.TB, a *auth.Authenticator) string {
	tb.Helper()

	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewEncoder(w).Encode(caller(reqinfo.From(r.Context()).Principal)); err != nil {
			tb.Error(err)
		}
	})
	identify := a.Identify(whoami)

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identify.ServeHTTP(w, r.WithContext(reqinfo.NewContext(r.Context(), &reqinfo.Record{})))
	}))
	tb.Cleanup(server.Close)

	return server.URL
}

// answer is a response with its body read.
type answer struct {
	status    int
	challenge string
	body      string
}

func (a answer) principal(tb testing.TB) reqinfo.Principal {
	tb.Helper()

	var p caller
	if err := json.NewDecoder(strings.NewReader(a.body)).Decode(&p); err != nil || a.status != http.StatusOK {
		tb.Fatalf("answer %+v: %v", a, err)
	}

	return reqinfo.Principal(p)
}

// call sends the given Authorization fields.
func call(tb testing.TB, url string, authorization ...string) answer {
	tb.Helper()

	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}

	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}

	res, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()

	body, err := io.ReadAll(res.Body)
	if err != nil {
		tb.Fatal(err)
	}

	return answer{status: res.StatusCode, challenge: res.Header.Get("WWW-Authenticate"), body: string(body)}
}
