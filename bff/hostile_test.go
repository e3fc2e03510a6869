package bff_test

import (
	"cmp"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/authtest"
)

// Once, tokens were believed for their header, claims were read in two ways, and a large token was cheap to send and dear to refuse.
func TestHazard22HostileTokensAreRefusedAlike(t *testing.T) {
	t.Parallel()

	// The best of some rounds is what the work takes; the rest is what else the machine does.
	const rounds, limit = 5, 20 * time.Millisecond

	hostile := authtest.NewHostile(t)
	keys := filepath.Join(t.TempDir(), "jwks.json")

	if err := os.WriteFile(keys, authtest.KeySet(t, hostile.Good, hostile.RSA), 0o600); err != nil {
		t.Fatal(err)
	}

	s := startSite(t, func(c *config.Config) {
		c.Limits.Client.Requests, c.Limits.Client.Burst = 1_000_000, 1_000_000
		c.Auth.Issuers = []config.Issuer{{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: keys}}
		// Of refused tokens only the last is remembered, so that all but the repetition of one are looked at.
		c.Auth.CacheTokens = 1
	})

	for _, signer := range []authtest.Signer{hostile.Good, hostile.RSA} {
		header := http.Header{"Authorization": {"Bearer " + signer.Token(t, nil, nil)}}
		if res := s.do(t, http.MethodGet, "/v1/users/ada", header, ""); res.status != http.StatusOK {
			t.Fatalf("a good token: %d %s", res.status, res.body)
		}
	}

	s.taken()

	table := hostile.Fields(t)
	if len(table) < 100 {
		t.Fatalf("only %d hostile tokens", len(table))
	}

	best := map[string]time.Duration{}

	for range rounds {
		for name, fields := range table {
			begin := time.Now()
			res := s.do(t, http.MethodGet, "/v1/users/ada", http.Header{"Authorization": fields}, "")
			took := time.Since(begin)

			if before, ok := best[name]; !ok || took < before {
				best[name] = took
			}

			if res.status != http.StatusUnauthorized || res.header.Get("Www-Authenticate") != `Bearer error="invalid_token"` ||
				!strings.Contains(res.body, `"detail":"the access token is not valid"`) {
				t.Errorf("%s: %d %q %s", name, res.status, res.header.Get("Www-Authenticate"), res.body)
			}
		}
	}

	slowest := slices.MaxFunc(slices.Collect(maps.Keys(best)), func(a, b string) int { return cmp.Compare(best[a], best[b]) })
	t.Logf("%d tokens, the slowest is %s with %s", len(table), slowest, best[slowest])

	if best[slowest] > limit {
		t.Errorf("%s takes %s", slowest, best[slowest])
	}

	if visits, calls := hostile.Visits.Load(), s.taken(); visits > 0 || len(calls) > 0 {
		t.Errorf("%d fetches of a forger's key, calls of %v", visits, rpcs(calls))
	}
}
