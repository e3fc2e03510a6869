package servers_test

import (
	"net/http"
	"path/filepath"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// Each kind of server shows a certificate, for its address or for a name, and may demand one of the gateway.
func TestTLS(t *testing.T) {
	t.Parallel()

	ca, dir := tlstest.NewCA(t), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	for _, name := range []string{"backend", "gateway"} {
		ca.Issue(t, file(name+".crt"), file(name+".key"), name, "")
	}

	stranger := tlstest.NewCA(t)

	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			for _, mutual := range []bool{false, true} {
				p := start(t, servers.Config{Health: servers.Serving, TLS: &servers.TLS{
					Cert: file("backend.crt"), Key: file("backend.key"), CA: ca.File, Mutual: mutual,
				}})

				for _, row := range []struct {
					name string
					tls  config.UpstreamTLS
					want bool
				}{
					{"by_address", config.UpstreamTLS{CAFile: ca.File}, !mutual},
					{"by_name", config.UpstreamTLS{CAFile: ca.File, ServerName: "backend"}, !mutual},
					{"with_a_certificate", config.UpstreamTLS{CAFile: ca.File, CertFile: file("gateway.crt"), KeyFile: file("gateway.key")}, true},
					{"by_another_name", config.UpstreamTLS{CAFile: ca.File, ServerName: "gateway"}, false},
					{"of_another_authority", config.UpstreamTLS{CAFile: stranger.File}, false},
				} {
					u := upstream(p.address)
					u.TLS = row.tls

					want := http.StatusServiceUnavailable
					if row.want {
						want = http.StatusOK
					}

					if res := startGateway(t, u).do(t, getUser, "", ""); res.status != want {
						t.Errorf("mutual %t, %s: %s", mutual, row.name, res)
					}
				}
			}
		})
	}
}
