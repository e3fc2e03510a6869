package command_test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
)

// `portico serve` in front of backends of other makes, as an operator would configure them: Node directly, Python behind nginx with
// certificates on both sides, and Node behind HAProxy.
func TestServeBackendsOfOtherMakes(t *testing.T) {
	t.Parallel()

	ca, dir := tlstest.NewCA(t), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	ca.Issue(t, file("backend.crt"), file("backend.key"), "profile.internal", "")
	ca.Issue(t, file("gateway.crt"), file("gateway.key"), "gateway", "")

	issuer, err := devissuer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}

	token, err := issuer.Token("alice", nil, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	node, python := servers.Node(t, servers.Config{}), servers.Python(t, servers.Config{Health: servers.Serving})
	nginx := servers.Nginx(t, servers.ProxyConfig{Backend: python.Address, TLS: &servers.TLS{
		Cert: file("backend.crt"), Key: file("backend.key"), CA: ca.File, Mutual: true,
	}})
	haproxy := servers.HAProxy(t, servers.ProxyConfig{Backend: node.Address})

	gateway := startServe(t, writeFile(t, "portico.yaml", fmt.Sprintf(`
auth:
  issuers: [{issuer: %q, audiences: [portico], jwks_file: %s}]
headers: {request: [X-Do, X-Call]}
upstreams:
  user: {addresses: [%q]}
  profile:
    addresses: [%q]
    tls: {ca_file: %s, cert_file: %s, key_file: %s, server_name: profile.internal}
  order: {addresses: [%q]}
  payment: {addresses: [%q]}
  notification: {addresses: [%q]}
`, devissuer.IssuerName, issuer.JWKSFile(), node.Address, nginx.Address, ca.File, file("gateway.crt"), file("gateway.key"),
		haproxy.Address, node.Address, node.Address)))

	for path, server := range map[string]*servers.Server{
		"/v1/users/alice": node, "/v1/users/alice/profile": python, "/v1/orders/alice:watch": node,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, gateway.url+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}

		req.Header = http.Header{"Authorization": {"Bearer " + token}, "X-Call": {path}, "X-Do": {"times=1"}}

		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}

		_ = res.Body.Close()

		if res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, res.Status)
		}

		if event := server.Await(t, "begin", path); !strings.HasPrefix(event.Path, "/") || len(event.Metadata["x-portico-subject"]) != 1 {
			t.Errorf("%s: %+v", path, event)
		}
	}

	if code := gateway.stop(t); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}
