package reload_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// broken are changes that must never take effect, with what is said about them.
func broken(dir string) map[string]struct {
	change func(*config.Config)
	says   string
} {
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		_ = os.WriteFile(path, []byte(text), 0o600)

		return path
	}

	return map[string]struct {
		change func(*config.Config)
		says   string
	}{
		"server_address": {func(c *config.Config) { c.Server.Address = ":1" }, "server.address: cannot change"},
		"admin_address":  {func(c *config.Config) { c.Admin.Address = config.AdminOff }, "admin.address: cannot change"},
		"histograms":     {func(c *config.Config) { c.Metrics.NativeHistograms = true }, "metrics.native_histograms: cannot change"},
		"log_format":     {func(c *config.Config) { c.Log.Format = "text" }, "log.format: cannot change"},
		"value":          {func(c *config.Config) { c.JSON.Names = "kebab" }, "json.names"},
		"no_upstream":    {func(c *config.Config) { delete(c.Upstreams, "order") }, "order"},
		"no_addresses":   {func(c *config.Config) { c.Upstreams["order"] = config.Upstream{} }, "upstreams.order"},
		"policy": {
			func(c *config.Config) { gatewaytest.SetPolicy(c, "*", gatewaytest.Object{"timeout": "soon"}) }, "policies[",
		},
		"policy_of_the_schema": {
			func(c *config.Config) {
				gatewaytest.SetPolicy(c, "*", gatewaytest.Object{"access": gatewaytest.Object{"public": true}})
			},
			"access",
		},
		"tls_files": {
			func(c *config.Config) { c.Server.TLS.CertFile, c.Server.TLS.KeyFile = dir+"/none.crt", dir+"/none.key" }, "none.crt",
		},
		"upstream_authorities": {
			func(c *config.Config) {
				u := c.Upstreams["order"]
				u.TLS.CAFile = file("ca.pem", "-----BEGIN CERTIFICATE-----\n")
				c.Upstreams["order"] = u
			},
			"ca.pem",
		},
		"issuer_keys": {
			func(c *config.Config) {
				c.Auth.Issuers[0].JWKSURL, c.Auth.Issuers[0].JWKSFile = "", file("keys.json", `{"keys":[]}`)
			},
			"keys.json",
		},
		"api_keys":  {func(c *config.Config) { c.Auth.APIKeys.File = file("keys.yaml", "keys: [") }, "keys.yaml"},
		"redis":     {func(c *config.Config) { c.Redis.URL = "redis://:secret-password@host:port" }, "redis"},
		"redis_url": {func(c *config.Config) { c.Redis.URL = "http://host" }, "redis"},
		"internal_token": {
			func(c *config.Config) {
				c.Auth.Internal = config.InternalToken{Issuer: "https://gateway.example", KeyFile: file("private.pem", "none")}
			},
			"internal_token",
		},
	}
}

// A faulty configuration changes nothing and leaves nothing open, and everyone is told.
func TestRefusedReload(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	header := s.As(t, "alice")
	s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", header)

	hash := s.Gateway.ReloadState().Hash
	goroutines := 0

	// What one of them left open would be seen at the end.
	const attempts = 3

	for name, tt := range broken(t.TempDir()) {
		for range attempts {
			err := s.Gateway.Reload(t.Context(), s.changed(func(c *config.Config) {
				// What is right in it must not take effect either.
				c.Limits.Client = config.Rate{Requests: 1, Per: time.Hour, Burst: 1}
				c.Upstreams["user"] = gatewaytest.Upstream("127.0.0.1:1")
				tt.change(c)
			}))
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "secret-password") {
				t.Fatalf("%s: error %v, want one about %s", name, err, tt.says)
			}
		}

		s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", header)
		s.wantMetric(t, "portico_config_last_reload_successful", "0")
		s.wantMetric(t, "portico_config_generations", "1")

		state := s.Gateway.ReloadState()
		if state.Hash != hash || state.Refused == nil {
			t.Errorf("%s: %+v", name, state)
		}

		if ready := gatewaytest.AdminGet(t, s.Gateway, "/readyz?verbose"); ready.Status != http.StatusOK ||
			!strings.Contains(ready.Body, "[!]configuration refused") || !strings.Contains(ready.Body, tt.says) {
			t.Errorf("%s: readiness %d %s", name, ready.Status, ready.Body)
		}

		if goroutines == 0 {
			goroutines = runtime.NumGoroutine()
		}
	}

	if now := runtime.NumGoroutine(); now > goroutines+30 {
		t.Errorf("%d goroutines after all refusals, %d after the first", now, goroutines)
	}

	s.reload(t, func(*config.Config) {})
	s.wantMetric(t, "portico_config_last_reload_successful", "1")

	if ready := gatewaytest.AdminGet(t, s.Gateway, "/readyz"); ready.Body != "ok\n" {
		t.Errorf("readiness %s", ready.Body)
	}

	if accepted := s.backend.listener.accepted.Load(); accepted != 1 {
		t.Errorf("%d connections, want the one of user", accepted)
	}
}

// The faults of settings that cannot change are all named.
func TestFixedSettingsAreNamed(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	err := s.Gateway.Reload(t.Context(), s.changed(func(c *config.Config) { c.Server.Address, c.Admin.Address = ":1", ":2" }))

	fault, ok := errors.AsType[*config.Fault](err)
	if !ok || fault.Path != "admin.address" || !strings.Contains(err.Error(), "server.address") {
		t.Errorf("error %v", err)
	}
}

func TestReloadWhoseContextEnds(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	err := s.Gateway.Reload(ctx, s.changed(func(c *config.Config) { c.Server.ServerTiming = true }))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}

	res := s.wantStatus(t, http.StatusOK, http.MethodGet, "/v1/users/alice", s.As(t, "alice"))
	if res.Header.Get("Server-Timing") != "" {
		t.Error("it took effect")
	}
}

func TestReloadOfAGatewayThatStops(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	s.Gateway.Drain()

	if err := s.Gateway.Reload(t.Context(), s.config); err == nil {
		t.Error("it was reloaded while it drains")
	}
}
