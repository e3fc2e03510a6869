package access_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// Once, an empty key file locked everybody out, and a missing one was a line with each look.
func TestKeyFilesThatCannotBeUsedChangeNothing(t *testing.T) {
	t.Parallel()

	const look = 5 * time.Millisecond

	key, id := apikey.New()
	dir := t.TempDir()
	keyFile, tokenFile := filepath.Join(dir, "keys.yaml"), filepath.Join(dir, "jwks.json")
	keys := "keys:\n" + fmt.Sprintf("- id: %s\n  sha256: %s\n  subject: svc\n", id, apikey.Hash(key))
	issuer := newKey(t)

	set, err := os.ReadFile(issuer.JWKSFile())
	if err != nil {
		t.Fatal(err)
	}

	write := func(path, text string) {
		t.Helper()

		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(keyFile, keys)
	write(tokenFile, string(set))

	s := gatewaytest.Start(t, func(c *config.Config) {
		c.Limits.Client.Requests, c.Limits.Client.Burst = 1_000_000, 1_000_000
		c.Auth.APIKeys = config.APIKeys{File: keyFile, ReloadInterval: look}
		c.Auth.Issuers = []config.Issuer{{
			Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience}, JWKSFile: tokenFile, RefreshInterval: look,
		}}
	})
	s.Issuer = issuer

	for _, file := range []struct {
		setting, path, whole string
		states               map[string]float64 // By what is in the file; "-": it is not there.
		header               http.Header
	}{
		{"auth.api_keys.file", keyFile, keys, map[string]float64{"": 2, "-": 1, "keys:\n": 2, keys[:len(keys)-3]: 2}, http.Header{"X-Api-Key": {key}}},
		{"auth.issuers[0].jwks_file", tokenFile, string(set), map[string]float64{"": 2, "-": 1, string(set[:len(set)/2]): 2, `{"keys":[]}`: 2}, s.As(t, "svc")},
	} {
		metric := func(state float64) string {
			return fmt.Sprintf("portico_file_state{setting=%q} %g\n", file.setting, state)
		}
		becomes := func(what string, state float64) {
			t.Helper()
			gatewaytest.Eventually(t, what, func() bool {
				return strings.Contains(gatewaytest.AdminGet(t, s.Gateway, "/metrics").Body, metric(state))
			})
		}

		for text, state := range file.states {
			before := strings.Count(s.Logs.String(), file.setting)

			if text == "-" {
				if err := os.Remove(file.path); err != nil {
					t.Fatal(err)
				}
			} else {
				write(file.path, text)
			}

			becomes(fmt.Sprintf("%s with %q being noticed", file.setting, text), state)

			if res := s.Do(t, http.MethodGet, "/v1/echo/x", file.header, ""); res.Status != http.StatusOK {
				t.Errorf("%s is %q: %d %s", file.setting, text, res.Status, res.Body)
			}

			write(file.path, file.whole)
			becomes(file.setting+" being whole again", 0)

			// One that it is spoilt and one that it is back; what was seen while it was being written may be another.
			if lines := strings.Count(s.Logs.String(), file.setting) - before; lines < 2 || lines > 4 {
				t.Errorf("%s is %q: %d lines in %s", file.setting, text, lines, s.Logs)
			}
		}
	}

	// An explicit list without keys is taken at its word.
	write(keyFile, "keys: []\n")
	gatewaytest.Eventually(t, "the revocation", func() bool {
		return s.Do(t, http.MethodGet, "/v1/echo/x", http.Header{"X-Api-Key": {key}}, "").Status == http.StatusUnauthorized
	})
}
