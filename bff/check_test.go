package bff_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
	"github.com/portico-gateway/portico/gen"
)

// checkable is a configuration without a fault, for the services but composites.
func checkable() (config.Config, bff.Option) {
	cfg := config.Config{
		Server: config.Server{Address: "127.0.0.1:0"}, Admin: config.Admin{Address: "127.0.0.1:0"},
		Health: config.Health{Address: config.HealthOff},
		Auth:   config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{},
	}

	var services []bff.Service

	for _, s := range gen.Services() {
		if !s.Composite {
			services = append(services, s)
			cfg.Upstreams[s.Upstream] = config.Upstream{Addresses: []string{"127.0.0.1:1"}}
		}
	}

	return cfg, bff.WithServices(services...)
}

// Faults of all stages are found in one run.
func TestCheckConfig(t *testing.T) {
	t.Parallel()

	cfg, services := checkable()
	if found := bff.CheckConfig(t.Context(), cfg, services); found.Faults != nil || found.Warnings != nil || len(found.Routes) == 0 {
		t.Errorf("got %+v", found)
	}

	ca, dir := tlstest.NewCA(t), t.TempDir()
	cert, key := filepath.Join(dir, "c.crt"), filepath.Join(dir, "c.key")
	ca.IssueFor(t, cert, key, "a.test", time.Time{}, time.Now().Add(-time.Hour))

	keys := filepath.Join(dir, "keys.yaml")
	if err := os.WriteFile(keys, []byte("keys:\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	cfg, services = checkable()
	cfg.Log.Level = "INFO"
	cfg.Server.TLS = config.ServerTLS{CertFile: cert, KeyFile: key, ClientCAFile: filepath.Join(dir, "none")}
	cfg.Server.Address = "192.0.2.1:8080"
	cfg.Headers.Request = []string{"Host"}
	cfg.Policies = []config.Policy{{Selector: "order.v1.OrderService/GetOrder", Set: map[string]any{"timeouts": "1s"}}}
	cfg.Upstreams["users"], cfg.Upstreams["user"] = cfg.Upstreams["user"], config.Upstream{Target: "dnss:///u:1"}
	cfg.Auth = config.Auth{
		APIKeys: config.APIKeys{File: keys}, Internal: config.InternalToken{Issuer: "a", KeyFile: keys},
		Issuers: []config.Issuer{{Issuer: "https://a", Audiences: []string{"a"}, JWKSFile: filepath.Join(dir, "none")}},
	}
	cfg.Redis.URL = "redis://h:1/zero"
	delete(cfg.Upstreams, "order")

	found := bff.CheckConfig(t.Context(), cfg, services)

	var origins *config.Origins

	got := map[string]string{}
	for _, fault := range origins.Faults(found.Faults) {
		got[fault.Path] = fault.Reason
	}

	for path, want := range map[string]string{
		"log.level": "did you mean", "server.tls.cert_file": "expired", "server.tls.client_ca_file": "no such file",
		"server.address": "no address of this machine", "headers.request[0]": `"Host" belongs to HTTP`, "policies[0].selector": "write",
		"policies[0].set.timeouts": "did you mean", "upstreams.users": `did you mean "user"?`, "upstreams.user.target": `did you mean "dns"?`,
		"upstreams.order": "needs it", "auth.api_keys.file": "list of keys", "auth.internal_token.key_file": "PEM",
		"auth.issuers[0].jwks_file": "no such file", "redis.url": "database",
	} {
		if !strings.Contains(got[path], want) {
			t.Errorf("%s: got %q, want %q", path, got[path], want)
		}

		delete(got, path)
	}

	if len(got) > 0 {
		t.Errorf("there is more: %q", got)
	}
}

// The configuration of a gateway that runs is checked beside it.
func TestCheckOfAnAddressInUseIsAWarning(t *testing.T) {
	t.Parallel()

	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	cfg, services := checkable()
	cfg.Admin.Address = taken.Addr().String()

	found := bff.CheckConfig(t.Context(), cfg, services)
	if fault, ok := errors.AsType[*config.Fault](found.Warnings); found.Faults != nil || !ok || fault.Path != "admin.address" ||
		!strings.Contains(fault.Err.Error(), "is in use") {
		t.Errorf("got %+v", found)
	}
}
