package auth_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

func keyFile(tb testing.TB, data []byte) string {
	tb.Helper()

	file := filepath.Join(tb.TempDir(), "jwks.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		tb.Fatal(err)
	}

	return file
}

// trusting is the configuration for an issuer whose keys are in a file.
func trusting(tb testing.TB, signers ...authtest.Signer) config.Issuer {
	tb.Helper()

	return config.Issuer{
		Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: keyFile(tb, authtest.KeySet(tb, signers...)),
		Algorithms: []string{"RS256", "PS256", "ES256", "ES384", "EdDSA"},
	}
}

// open is New, with the defaults of what is not set.
func open(ctx context.Context, cfg config.Auth) (*auth.Authenticator, error) {
	return auth.New(ctx, cfg.WithDefaults(), auth.Deps{Logger: slog.New(slog.DiscardHandler)})
}

func mustNew(tb testing.TB, issuers ...config.Issuer) *auth.Authenticator {
	tb.Helper()

	a, err := open(tb.Context(), config.Auth{Issuers: issuers})
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
	identify := a.Identify(nil)(whoami)

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
