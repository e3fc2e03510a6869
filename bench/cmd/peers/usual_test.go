package main

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/portico-gateway/portico/bench/internal/sample"
)

// What the middleware is measured at is done: only valid tokens pass.
func TestUsualVerifiesTokens(t *testing.T) {
	key, other := newKey(t), newKey(t)
	file := filepath.Join(t.TempDir(), "jwks.json")
	set := fmt.Sprintf(`{"keys": [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "key", "n": %q, "e": %q}]}`,
		base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes()))

	if err := os.WriteFile(file, []byte(set), 0o600); err != nil {
		t.Fatal(err)
	}

	verify, err := newVerifier(file)
	if err != nil {
		t.Fatal(err)
	}

	handler := verify.authenticate(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, subject(r.Context()))
	}))

	tests := []struct {
		name   string
		key    *rsa.PrivateKey
		change jwt.MapClaims
		want   int
	}{
		{name: "valid", key: key, want: http.StatusOK},
		{name: "another-key", key: other, want: http.StatusUnauthorized},
		{name: "expired", key: key, change: jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}, want: http.StatusUnauthorized},
		{name: "no-expiry", key: key, change: jwt.MapClaims{"exp": nil}, want: http.StatusUnauthorized},
		{name: "another-audience", key: key, change: jwt.MapClaims{"aud": "others"}, want: http.StatusUnauthorized},
		{name: "another-issuer", key: key, change: jwt.MapClaims{"iss": "https://others.invalid"}, want: http.StatusUnauthorized},
		{name: "no-token", want: http.StatusUnauthorized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", http.NoBody)
			if tt.key != nil {
				r.Header.Set("Authorization", "Bearer "+sign(t, tt.key, tt.change))
			}

			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)

			if w.Code != tt.want || tt.want == http.StatusOK && w.Body.String() != sample.UserID {
				t.Errorf("status is %d, body %q, want %d", w.Code, w.Body, tt.want)
			}
		})
	}
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()

	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}

	return key
}

// sign makes a token with claims that are changed; those that are nil are left out.
func sign(t *testing.T, key *rsa.PrivateKey, change jwt.MapClaims) string {
	t.Helper()

	claims := jwt.MapClaims{
		"iss": sample.Issuer, "aud": sample.Audience, "sub": sample.UserID, "exp": time.Now().Add(time.Hour).Unix(),
	}
	for name, value := range change {
		claims[name] = value
		if value == nil {
			delete(claims, name)
		}
	}

	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = "key"

	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}

	return signed
}
