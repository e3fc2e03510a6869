package bff_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
)

// withSessions is a configuration without a fault, with sessions.
func withSessions(change func(*config.Config)) (config.Config, bff.Option) {
	cfg, services := checkable()
	cfg.Auth = config.Auth{Sessions: config.Sessions{
		Issuer: "https://login.example", ClientID: "portico", ClientSecret: "secret", Identity: config.IdentityIDToken,
	}}

	if change != nil {
		change(&cfg)
	}

	return cfg, services
}

func TestCheckSessions(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	faulty, keys := filepath.Join(dir, "faulty"), filepath.Join(dir, "keys")
	const noFile = "auth.sessions.client_secret_file"

	for path, text := range map[string]string{faulty: "c2hvcnQ=", keys: base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for name, tt := range map[string]struct {
		change         func(*config.Sessions)
		fault, warning string
	}{
		"valid":          {func(s *config.Sessions) { s.KeysFile = keys }, "", ""},
		"faulty_keys":    {func(s *config.Sessions) { s.KeysFile = faulty }, "auth.sessions.keys_file", ""},
		"no_keys_file":   {func(s *config.Sessions) { s.KeysFile = filepath.Join(dir, "none") }, "auth.sessions.keys_file", ""},
		"no_secret_file": {func(s *config.Sessions) { s.ClientSecret, s.ClientSecretFile = "", dir }, noFile, ""},
		"public_client":  {func(s *config.Sessions) { s.ClientSecret = "" }, "", "auth.sessions.client_secret"},
		"long":           {func(s *config.Sessions) { s.MaxLifetime = 31 * 24 * time.Hour }, "", "auth.sessions.max_lifetime"},
		"cookie":         {func(s *config.Sessions) { s.Cookie = config.LoginCookie }, "auth.sessions.cookie", ""},
		"header":         {func(s *config.Sessions) { s.Header = "Sec-Fetch-Site" }, "auth.sessions.header", ""},
		"query":          {func(s *config.Sessions) { s.Issuer += "?a=b" }, "auth.sessions.issuer", ""},
		"portico_dev":    {func(s *config.Sessions) { s.Issuer = "http://localhost:8084/portico-dev" }, "auth.sessions.issuer", ""},
	} {
		cfg, services := withSessions(func(c *config.Config) { tt.change(&c.Auth.Sessions) })
		found := bff.CheckConfig(t.Context(), cfg, services)

		for want, err := range map[string]error{"fault " + tt.fault: found.Faults, "warning " + tt.warning: found.Warnings} {
			_, path, _ := strings.Cut(want, " ")
			if (path == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), path) {
				t.Errorf("%s: got %v, want %s", name, err, want)
			}
		}
	}
}

// The provider of portico dev lets anyone in as anyone.
func TestDevelopmentIssuersAreRefused(t *testing.T) {
	t.Parallel()

	for _, issuer := range []string{"http://localhost:8084/portico-dev", "https://login.example/portico-dev/"} {
		cfg, services := withSessions(func(c *config.Config) {
			c.Auth.Issuers = []config.Issuer{{Issuer: issuer, Audiences: []string{"portico"}}}
		})

		if _, err := bff.Compile(cfg, services); err == nil || !strings.Contains(err.Error(), "auth.issuers[0].issuer") {
			t.Errorf("%s: %v", issuer, err)
		}

		if _, err := bff.Compile(cfg, services, bff.WithDevelopmentIssuers()); err != nil {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

func TestRevokeSessions(t *testing.T) {
	t.Parallel()

	const credential = "a credential of operators"

	for name, sessions := range map[string]bool{"sessions": true, "none": false} {
		cfg, services := withSessions(func(c *config.Config) {
			c.Admin.Credential = credential

			if !sessions {
				c.Auth = config.Auth{Disabled: true}
			}
		})

		gw, err := bff.New(t.Context(), cfg, services)
		if err != nil {
			t.Fatal(err)
		}

		t.Cleanup(func() { _ = gw.Close() })

		for _, tt := range []struct {
			method, target, credential string
			want                       int
		}{
			{http.MethodPost, "/sessions/revoke?subject=alice", credential, http.StatusOK},
			{http.MethodPost, "/sessions/revoke?subject=alice", "", http.StatusUnauthorized},
			{http.MethodPost, "/sessions/revoke", credential, http.StatusBadRequest},
			{http.MethodPost, "/sessions/revoke?subject=", credential, http.StatusBadRequest},
			{http.MethodPost, "/sessions/revoke?subject=a&subject=b", credential, http.StatusBadRequest},
			{http.MethodGet, "/sessions/revoke?subject=alice", credential, http.StatusMethodNotAllowed},
		} {
			r := httptest.NewRequest(tt.method, tt.target, nil)
			if tt.credential != "" {
				r.Header.Set("Authorization", "Bearer "+tt.credential)
			}

			w := httptest.NewRecorder()
			gw.Admin().ServeHTTP(w, r)

			if w.Code != tt.want || w.Code == http.StatusOK && strings.TrimSpace(w.Body.String()) != `{"ended":0}` {
				t.Errorf("%s: %s %s: %d %s", name, tt.method, tt.target, w.Code, w.Body)
			}
		}
	}
}
