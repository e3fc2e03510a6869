package bff_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// startAwaiting starts a site one of whose two issuers is down.
func startAwaiting(t *testing.T, grace time.Duration) (*site, *keyServer) {
	t.Helper()

	keys := startKeyServer(t)
	keys.down.Store(true)

	s := startSite(t, func(c *config.Config) {
		c.Auth.KeysGrace = grace
		c.Auth.Issuers = append(c.Auth.Issuers, config.Issuer{
			Issuer: "https://slow.example", Audiences: []string{devissuer.Audience}, JWKSURL: keys.url + "/secret-path", RefreshInterval: 20 * time.Millisecond,
		})
	})

	return s, keys
}

// Once, a gateway was ready, and answered 503 to every token, because it had never had the keys.
func TestNotReadyWithoutTheKeysOfAnIssuer(t *testing.T) {
	t.Parallel()

	s, keys := startAwaiting(t, time.Hour)

	got := adminGet(t, s.gw, "/readyz")
	if got.status != http.StatusServiceUnavailable || got.body != "waiting for the keys of the issuer https://slow.example\n" {
		t.Errorf("without keys: %d %q", got.status, got.body)
	}

	// It serves those who come nevertheless.
	if res := s.do(t, http.MethodGet, "/v1/echo/x", s.as(t, "alice"), ""); res.status != http.StatusOK {
		t.Errorf("a token of the other issuer: %d %s", res.status, res.body)
	}

	keys.publish(t, newKey(t))
	keys.down.Store(false)
	eventually(t, "readiness", func() bool { return adminGet(t, s.gw, "/readyz").status == http.StatusOK })

	// What all gateways share must not take all of them out of service.
	keys.down.Store(true)

	failed := keys.fetches.Load() + 3
	eventually(t, "failed fetches", func() bool { return keys.fetches.Load() >= failed })

	if got := adminGet(t, s.gw, "/readyz"); got.status != http.StatusOK {
		t.Errorf("while the issuer is down later: %d %s", got.status, got.body)
	}

	if lines := strings.Count(s.logs.String(), "issuer keys cannot be fetched"); lines != 2 {
		t.Errorf("%d lines, want one each time that it went down: %s", lines, s.logs)
	}

	s.gw.Drain()

	if got := adminGet(t, s.gw, "/readyz"); got.status != http.StatusServiceUnavailable || got.body != "draining\n" {
		t.Errorf("while draining: %d %q", got.status, got.body)
	}
}

// After the grace the gateway serves whom it can.
func TestReadyWithoutKeysAfterTheGrace(t *testing.T) {
	t.Parallel()

	s, _ := startAwaiting(t, time.Millisecond)
	eventually(t, "the end of the grace", func() bool { return adminGet(t, s.gw, "/readyz").status == http.StatusOK })

	if logs := s.logs.String(); strings.Count(logs, "ready without the keys of issuers") != 1 || !strings.Contains(logs, "https://slow.example") {
		t.Errorf("the log does not say so: %s", logs)
	}
}
