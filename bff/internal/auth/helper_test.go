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

func newSigner(t testing.TB, alg, kid string) signer {
	t.Helper()

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
		t.Fatal(err)
	}

	return signer{alg: alg, kid: kid, private: private}
}

// jwk is the public key as JSON, with changes: a nil value removes a member.
func (s signer) jwk(t testing.TB, changes map[string]any) map[string]any {
	t.Helper()

	key, err := jwkset.NewJWKFromKey(s.private.Public(), jwkset.JWKOptions{Metadata: jwkset.JWKMetadataOptions{
		ALG: jwkset.ALG(s.alg), KID: s.kid, USE: jwkset.UseSig,
	}})
	if err != nil {
		t.Fatal(err)
	}

	data, err := json.Marshal(key.Marshal())
	if err != nil {
		t.Fatal(err)
	}

	var out map[string]any
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}

	return changed(out, changes)
}

// token signs good claims with changes.
func (s signer) token(t testing.TB, header, claims map[string]any) string {
	t.Helper()

	return s.sign(t, changed(map[string]any{"alg": s.alg, "kid": s.kid, "typ": "at+jwt"}, header), changed(goodClaims(), claims))
}

func (s signer) sign(t testing.TB, header, claims any) string {
	t.Helper()

	text := segment(t, header) + "." + segment(t, claims)

	signature, err := jwt.GetSigningMethod(s.alg).Sign(text, s.private)
	if err != nil {
		t.Fatal(err)
	}

	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func segment(t testing.TB, value any) string {
	t.Helper()

	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
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

func mustJSON(t testing.TB, value any) []byte {
	t.Helper()

	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}

	return data
}

func keySetOf(t testing.TB, signers ...signer) []byte {
	t.Helper()

	keys := make([]any, 0, len(signers))
	for _, s := range signers {
		keys = append(keys, s.jwk(t, nil))
	}

	return mustJSON(t, map[string]any{"keys": keys})
}

func keyFile(t testing.TB, data []byte) string {
	t.Helper()

	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}

	return file
}

// trusting is the configuration for an issuer whose keys are in a file.
func trusting(t testing.TB, signers ...signer) auth.Issuer {
	t.Helper()

	return auth.Issuer{Issuer: issuerName, Audiences: []string{audience}, JWKSFile: keyFile(t, keySetOf(t, signers...))}
}

func mustNew(t testing.TB, issuers ...auth.Issuer) *auth.Authenticator {
	t.Helper()

	a, err := auth.New(t.Context(), issuers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}

	return a
}

// start serves who the caller is, on a real listener.
func start(t testing.TB, a *auth.Authenticator) string {
	t.Helper()

	whoami := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The client may have gone.
		_ = json.NewEncoder(w).Encode(reqinfo.From(r.Context()).Principal)
	})
	identify := a.Identify(whoami)

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identify.ServeHTTP(w, r.WithContext(reqinfo.NewContext(r.Context(), &reqinfo.Record{})))
	}))
	t.Cleanup(server.Close)

	return server.URL
}

// answer is a response with its body read.
type answer struct {
	status    int
	challenge string
	body      string
}

func (a answer) principal(t testing.TB) reqinfo.Principal {
	t.Helper()

	var p reqinfo.Principal
	if err := json.NewDecoder(strings.NewReader(a.body)).Decode(&p); err != nil || a.status != http.StatusOK {
		t.Fatalf("answer %+v: %v", a, err)
	}

	return p
}

// call sends the given Authorization fields.
func call(t testing.TB, url string, authorization ...string) answer {
	t.Helper()

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	for _, value := range authorization {
		r.Header.Add("Authorization", value)
	}

	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}

	return answer{status: res.StatusCode, challenge: res.Header.Get("WWW-Authenticate"), body: string(body)}
}
