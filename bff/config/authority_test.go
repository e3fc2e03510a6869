package config_test

import (
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

func TestUpstreamNames(t *testing.T) {
	t.Parallel()

	address := func(u *config.Upstream, text string) { u.Addresses = []string{text} }
	authority := func(u *config.Upstream, text string) { u.Authority = text }
	serverName := func(u *config.Upstream, text string) { u.TLS.ServerName = text }

	tests := []struct {
		name        string
		set         func(u *config.Upstream, text string)
		good, wrong []string
	}{
		{
			"address", address,
			[]string{"u:1", "10.0.0.1:65535", "[::1]:1", "[fe80::1%eth0]:1", ":1", "unix:/a b", "unix:a", "unix:///a", "unix:@a", "u_1.svc:1"},
			[]string{"u", "u:", "u:0", "u:65536", "u:http", "::1:1", "a@u:1", "u/v:1", "u v:1", "ü:1", "unix:", "unix-abstract:a", "dns:///u:1"},
		},
		{
			"authority", authority,
			[]string{"u", "u:1", "10.0.0.1", "10.0.0.1:1", "[::1]", "[::1]:1", "u.svc."},
			[]string{
				":1", "u:", "u:0", "u:http", "::1", "[::1", "[::1]x", "[u]", "[10.0.0.1]", "[fe80::1%eth0]", "[fe80::1%eth0]:1", "a@u:1",
				"u/v", "u v", "ü", "u\r\nx: y", "u,v", "http://u",
			},
		},
		{"server_name", serverName, []string{"u", "u.internal", "10.0.0.1", "::1"}, []string{"u:1", "[::1]", "*.u", "u v", "ü", "//u"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			for i, text := range append(tt.good, tt.wrong...) {
				c := valid()
				upstream(&c, func(u *config.Upstream) { tt.set(u, text) })

				if err := c.Validate(); (err == nil) != (i < len(tt.good)) {
					t.Errorf("%q: %v", text, err)
				}
			}
		})
	}
}
