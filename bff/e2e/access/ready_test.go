package access_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// startAwaiting starts a site one of whose two issuers is down.
func startAwaiting(t *testing.T, grace time.Duration) (*gatewaytest.Site, *keyServer) {
	t.Helper()

	keys := startKeyServer(t)
	keys.down.Store(true)

	s := gatewaytest.Start(t, func(c *config.Config) {
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

	got := gatewaytest.AdminGet(t, s.Gateway, "/readyz")
	if got.Status != http.StatusServiceUnavailable || got.Body != "waiting for the keys of the issuer https://slow.example\n" {
		t.Errorf("without keys: %d %q", got.Status, got.Body)
	}

	// It serves those who come nevertheless.
	if res := s.Do(t, http.MethodGet, "/v1/echo/x", s.As(t, "alice"), ""); res.Status != http.StatusOK {
		t.Errorf("a token of the other issuer: %d %s", res.Status, res.Body)
	}

	keys.publish(t, newKey(t))
	keys.down.Store(false)
	gatewaytest.Eventually(t, "readiness", func() bool { return gatewaytest.AdminGet(t, s.Gateway, "/readyz").Status == http.StatusOK })

	// What all gateways share must not take all of them out of service.
	keys.down.Store(true)

	failed := keys.fetches.Load() + 3
	gatewaytest.Eventually(t, "failed fetches", func() bool { return keys.fetches.Load() >= failed })

	if got := gatewaytest.AdminGet(t, s.Gateway, "/readyz"); got.Status != http.StatusOK {
		t.Errorf("while the issuer is down later: %d %s", got.Status, got.Body)
	}

	if lines := strings.Count(s.Logs.String(), "issuer keys cannot be fetched"); lines != 2 {
		t.Errorf("%d lines, want one each time that it went down: %s", lines, s.Logs)
	}

	s.Gateway.Drain()

	if got := gatewaytest.AdminGet(t, s.Gateway, "/readyz"); got.Status != http.StatusServiceUnavailable || got.Body != "draining\n" {
		t.Errorf("while draining: %d %q", got.Status, got.Body)
	}
}

// After the grace the gateway serves whom it can.
func TestReadyWithoutKeysAfterTheGrace(t *testing.T) {
	t.Parallel()

	s, _ := startAwaiting(t, time.Millisecond)
	gatewaytest.Eventually(t, "the end of the grace", func() bool { return gatewaytest.AdminGet(t, s.Gateway, "/readyz").Status == http.StatusOK })

	if logs := s.Logs.String(); strings.Count(logs, "ready without the keys of issuers") != 1 || !strings.Contains(logs, "https://slow.example") {
		t.Errorf("the log does not say so: %s", logs)
	}
}
