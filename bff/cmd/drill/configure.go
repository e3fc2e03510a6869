package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// configuration is that of both gateways. The drain delay is some of the balancer's looks at their readiness.
const configuration = `server: {address: "127.0.0.1:0", drain_delay: 500ms}
admin: {address: "127.0.0.1:0"}
auth: {issuers: [{issuer: %q, audiences: [%q], algorithms: [EdDSA], jwks_file: %q}]}
redis: {url: "redis://%s/0"}
upstreams:
%s`

func (f *fleet) configFile() string { return filepath.Join(f.dir, "portico.yaml") }

// configure writes the configuration.
func (f *fleet) configure() error {
	var upstreams strings.Builder
	for _, service := range backends.Services() {
		fmt.Fprintf(&upstreams, "  %s: {addresses: [%s]}\n", service, strings.Join(f.addresses(service), ", "))
	}

	text := fmt.Sprintf(configuration, devissuer.IssuerName, devissuer.Audience, f.issuer.JWKSFile(),
		f.redisProxy.Address(), &upstreams)

	if err := os.WriteFile(f.configFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}

	return nil
}
