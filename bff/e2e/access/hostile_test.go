package access_test

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
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/authtest"
)

// Once, tokens were believed for their header, claims were read in two ways, and a large token was cheap to send and dear to refuse.
//
// It is not parallel, because it compares times.
func TestHazard22HostileTokensAreRefusedAlike(t *testing.T) { //nolint:paralleltest // See above.
	hostile := authtest.NewHostile(t)
	s := startHostileSite(t, hostile)

	table := hostile.Fields(t)
	if len(table) < 100 {
		t.Fatalf("only %d hostile tokens", len(table))
	}

	// The best of some rounds is what the work takes; the rest is what else the machine does.
	best := map[string]time.Duration{}
	timed := func(name string, header http.Header) gatewaytest.Response {
		begin := time.Now()
		res := s.Do(t, http.MethodGet, "/v1/users/ada", header, "")
		took := time.Since(begin)

		if before, ok := best[name]; !ok || took < before {
			best[name] = took
		}

		return res
	}

	const large = 64 << 10 // Of the table, what is larger is about a megabyte.

	for range 5 {
		timed("", nil)
		timed("a megabyte", http.Header{"X-Pad": {strings.Repeat("x", 1<<20)}})

		for name, fields := range table {
			res := timed(name, http.Header{"Authorization": fields})
			if res.Status != http.StatusUnauthorized || res.Header.Get("Www-Authenticate") != `Bearer error="invalid_token"` ||
				!strings.Contains(res.Body, `"detail":"the access token is not valid"`) {
				t.Errorf("%s: %d %q %s", name, res.Status, res.Header.Get("Www-Authenticate"), res.Body)
			}
		}
	}

	slowest := slices.MaxFunc(slices.Collect(maps.Keys(best)), func(a, b string) int { return cmp.Compare(best[a], best[b]) })
	t.Logf("%d tokens, the slowest is %s with %s; no token takes %s", len(table), slowest, best[slowest], best[""])

	// To refuse a token costs little more than to refuse a request of its size without one.
	const dearer = 20

	for name, fields := range table {
		base := best[""]
		if len(fields[0]) > large {
			base = best["a megabyte"]
		}

		if best[name] > dearer*base {
			t.Errorf("%s takes %s", name, best[name])
		}
	}

	if visits, calls := hostile.Visits.Load(), s.TakeCalls(); visits > 0 || len(calls) > 0 {
		t.Errorf("%d fetches of a forger's key, calls of %v", visits, gatewaytest.RPCs(calls))
	}
}

// startHostileSite trusts the issuer that the forgers are after.
func startHostileSite(t *testing.T, hostile *authtest.Hostile) *gatewaytest.Site {
	t.Helper()

	keys := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(keys, authtest.KeySet(t, hostile.Good, hostile.RSA), 0o600); err != nil {
		t.Fatal(err)
	}

	s := gatewaytest.Start(t, func(c *config.Config) {
		c.Limits.Client.Requests, c.Limits.Client.Burst = 1_000_000, 1_000_000
		c.Auth.Issuers = []config.Issuer{{Issuer: authtest.Issuer, Audiences: []string{authtest.Audience}, JWKSFile: keys}}
		// Of refused tokens only the last is remembered, so that all but the repetition of one are looked at.
		c.Auth.CacheTokens = 1
	})

	// The table would prove nothing if good tokens were refused too.
	for _, signer := range []authtest.Signer{hostile.Good, hostile.RSA} {
		header := http.Header{"Authorization": {"Bearer " + signer.Token(t, nil, nil)}}
		if res := s.Do(t, http.MethodGet, "/v1/users/ada", header, ""); res.Status != http.StatusOK {
			t.Fatalf("a good token: %d %s", res.Status, res.Body)
		}
	}

	s.TakeCalls()

	return s
}
