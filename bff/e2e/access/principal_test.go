package access_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
)

// Two API keys and a certificate of one subject are one caller. Once, a client that took its new key for a retry wrote again. Tokens and
// sessions are compared in package sessions_test.
func TestKeysAndCertificatesOfASubjectAreOnePrincipal(t *testing.T) {
	t.Parallel()

	file := filepath.Join(t.TempDir(), "keys.yaml")
	before, beforeID := apikey.New()
	after, afterID := apikey.New()
	entry := "  - {id: %s, sha256: %s, subject: alice}\n"

	text := "keys:\n" + fmt.Sprintf(entry, beforeID, apikey.Hash(before)) + fmt.Sprintf(entry, afterID, apikey.Hash(after))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	s := startCertified(t, 1, func(c *config.Config, _ *tls.Certificate) {
		gatewaytest.Patient(c)
		gatewaytest.SetPolicy(c, "user.v1.UserService.DeleteUser", gatewaytest.Object{"rate_limits": []any{
			gatewaytest.Object{"requests": 3, "per": "3600s"},
		}})

		c.Auth.APIKeys = config.APIKeys{File: file}
		c.Auth.Certificates = []config.Certificate{{Name: "uri:spiffe://prod/billing", Subject: "alice"}}
	})
	s.URL, s.Client = s.url, s.client

	// The certificate is that of the connection, and counts without a key.
	credentials := []http.Header{{"X-Api-Key": {before}}, {"X-Api-Key": {after}}, {}}
	each := func(what, method, target, body string, check func(i int, res gatewaytest.Response) bool) {
		for i, header := range credentials {
			header = header.Clone()
			header.Set("Idempotency-Key", what)

			if res := s.Do(t, method, target, header, body); !check(i, res) {
				t.Errorf("%s, credential %d: %d %v %s", what, i, res.Status, res.Header, res.Body)
			}
		}
	}

	each("idempotency", http.MethodPost, "/v1/orders", gatewaytest.AnOrder, func(i int, res gatewaytest.Response) bool {
		return res.Status == http.StatusCreated && (res.Header.Get("Idempotency-Replayed") == "true") == (i > 0)
	})
	each("cache", http.MethodGet, "/v1/users/alice/profile", "", func(i int, res gatewaytest.Response) bool {
		return res.Status == http.StatusOK && strings.HasPrefix(res.Header.Get("Cache-Status"), "portico; hit") == (i > 0)
	})
	each("limit", http.MethodDelete, "/v1/users/alice", "", func(_ int, res gatewaytest.Response) bool {
		return res.Status == http.StatusNoContent
	})
	each("over the limit", http.MethodDelete, "/v1/users/alice", "", func(_ int, res gatewaytest.Response) bool {
		return res.Status == http.StatusTooManyRequests
	})

	calls := gatewaytest.RPCs(s.TakeCalls())
	if got := strings.Join(calls, " "); strings.Count(got, "CreateOrder") != 1 || strings.Count(got, "GetProfile") != 1 ||
		strings.Count(got, "DeleteUser") != len(credentials) {
		t.Errorf("called %s", got)
	}
}
