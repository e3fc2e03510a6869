package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

// What is refused says what to write instead.
func TestValues(t *testing.T) {
	t.Parallel()

	const prefix = "10.0.0.0/8"

	origin := func(c *config.Config, text string) { c.CORS.AllowedOrigins = []string{text} }
	address := func(c *config.Config, text string) {
		upstream(c, func(u *config.Upstream) { u.Addresses = []string{"first:1", text} })
	}
	target := func(c *config.Config, text string) {
		upstream(c, func(u *config.Upstream) { u.Addresses, u.Target = nil, text })
	}

	tests := []struct {
		path string
		set  func(c *config.Config, text string)
		good []string
		// wrong are values with what the fault says, in part.
		wrong map[string]string
	}{
		{"server.address", func(c *config.Config, text string) { c.Server.Address = text }, []string{
			":80", "0.0.0.0:0", "[::1]:80", ":https", "gw.internal:80", "unix:/run/x.sock", "unix:/run/x.sock?mode=0600&group=proxy", "unix:/x?mode=660",
			"systemd:", "systemd:web",
		}, map[string]string{
			"unix:run/x.sock": "absolute path", "unix:": "absolute path", "unix:@x": "absolute path", "unix:/x?mode=0400": "from 0600 to 0777", "unix:/x?mode=1777": "from 0600",
			"unix:/x?mode=rw": "from 0600", "unix:/x?group=": "group=NAME", "unix:/x?owner=a": "mode=0660 or group=NAME", "unix:/x?mode=0600&mode=0660": "more than once",
			"unix:/x?mode=%zz": "invalid URL escape", "unix:/" + strings.Repeat("x", 110): "may have 103 bytes", "systemd:a b": "no such character", "systemd:a:b": "no such character",
			"http://a:80": "without a scheme", "a b:80": "host:port", ":70000": "host:port", ":-1": "host:port",
		}},
		{"admin.address", func(c *config.Config, text string) { c.Admin.Address = text }, []string{"-", ":8081", "127.0.0.2:8080", "localhost:0"}, map[string]string{
			"off": `write "-"`, "false": `write "-"`, "127.0.0.1:8080": "server.address", ":8080": "server.address", "[::]:8080": "server.address",
			"localhost:8080": "server.address",
		}},
		{"admin.address", func(c *config.Config, text string) { c.Server.Address, c.Admin.Address = "unix:/run/s", text }, []string{"unix:/run/t", "systemd:s"}, map[string]string{
			"unix:/run/s": "choose another path", "unix:/run/../run/s?mode=0600": "choose another path",
		}},
		{"admin.address", func(c *config.Config, text string) { c.Server.Address, c.Admin.Address = "systemd:", text }, []string{"systemd:", "systemd:web"}, map[string]string{
			"systemd:server": "choose another name",
		}},
		{"server.proxy_protocol.from[0]", func(c *config.Config, text string) { c.Server.ProxyProtocol.From = []string{text} }, []string{"10.0.0.0/8", "unix"}, map[string]string{
			"10.0.0.1": "write 10.0.0.1/32", "": "not a CIDR prefix", "*": "not a CIDR prefix",
		}},
		{"log.level", func(c *config.Config, text string) { c.Log.Level = text }, []string{"debug"}, map[string]string{
			"INFO": `did you mean "info"?`, "warning": `one of debug, info, warn, error`, "wrn": `did you mean "warn"?`,
		}},
		{"client_ip.trusted_proxies[0]", func(c *config.Config, text string) { c.ClientIP.TrustedProxies = []string{text} }, []string{prefix, "::/0", "unix"}, map[string]string{
			"10.0.0.1": "write 10.0.0.1/32", "::1": "write ::1/128", "10.0.0.0/33": "not a CIDR prefix", "proxy": `or "unix"`,
		}},
		{"query.ignored[0]", func(c *config.Config, text string) { c.Query.Ignored = []string{text} }, []string{"utm_*", "*", "a"}, map[string]string{
			"": "is empty", "*_id": "at the end", "a*b*": "at the end",
		}},
		{"cors.allowed_origins[0]", origin, []string{
			"*", "https://a.example", "http://localhost:3000", "https://*.example.com", "http://localhost:*", "https://a:444", "http://a:443",
			"capacitor://localhost", "https://[::1]:8443", "https://xn--bcher-kva.example", "https://pr-*.example.com:8443",
		}, map[string]string{
			"https://a.example/": `write "https://a.example"`, "https://a.example/app?x": `write "https://a.example"`, "https://a.example?x": `write "https://a.example"`,
			"https://A.example/x": `write "https://a.example"`, "https://A.example": `write "https://a.example"`, "HTTPS://a.example": `write "https://a.example"`, "https://u:p@a.example": `write "https://a.example"`,
			"https://a.example:443": `write "https://a.example"`, "http://*.example:80": `write "http://*.example"`, "a.example": `write "https://a.example"`,
			"*.example.com": `write "https://*.example.com"`, "https://bücher.example": "xn--", "https://": "scheme://host", "https://a:99999": "scheme://host",
			"htps://a.example": `did you mean "https"?`, "https:a": "scheme://host", "null": "scheme://host", "": "scheme://host", "https://a b": "scheme://host",
		}},
		{"cors.allowed_headers[0]", func(c *config.Config, text string) { c.CORS.AllowedHeaders = []string{text} }, []string{"X-A", "*"}, map[string]string{"X A": "header name"}},
		{"upstreams.user.addresses[1]", address, []string{"first:2", "unix:/a", "[::1]:1", "127.0.0.1:8083"}, map[string]string{
			"127.0.0.1:185470": "from 1 to 65535", "first:1": "addresses[0]", "First:1": "addresses[0]", "http://u:9": `write "u:9"`, "u": "no port",
			"dns:///u:9": "as target", "127.0.0.1:8080": "server.address", "localhost:8081": "admin.address", ":8080": "server.address",
		}},
		{"upstreams.user.target", target, []string{
			"dns:///u:9000", "dns://10.0.0.1/u:9000", "dns:u", "u.svc:9000", "u", "unix:///run/u.sock", "unix:u.sock", "xds:///u", "passthrough:///u:1",
			"dns:///[::1]:9", "own:///x", "own://a/x",
		}, map[string]string{
			"dns:///u:185470": "from 1 to 65535", "dns://u:9000": "write dns:///u:9000", "u:http": "DNS name", "dns:///": "DNS name", "dns:///u v:1": "DNS name",
			"unix:": "no name", "xds:///": "no name", "passthrough:///u": "host:port", "u.svc/x:1": "DNS name",
		}},
		{"auth.issuers[0].issuer", func(c *config.Config, text string) { c.Auth.Issuers[0].Issuer = text }, []string{"https://a"}, map[string]string{
			"\thttps://a": "a space", "https://a\n": "a space",
		}},
		{"auth.issuers[0].algorithms[0]", func(c *config.Config, text string) { c.Auth.Issuers[0].Algorithms = []string{text} }, []string{"PS256"}, map[string]string{
			"HS256": "symmetric", "rs256": `did you mean "RS256"?`,
		}},
	}

	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()

			for _, text := range tt.good {
				c := valid()
				tt.set(&c, text)

				if err := c.Validate(); err != nil {
					t.Errorf("%q: %v", text, err)
				}
			}

			for text, want := range tt.wrong {
				c := valid()
				tt.set(&c, text)

				err := c.Validate()
				if err == nil || !strings.HasPrefix(err.Error(), tt.path+": ") || !strings.Contains(err.Error(), want) ||
					strings.Contains(err.Error(), "\n") {
					t.Errorf("%q: got %v, want %q and nothing else", text, err, want)
				}
			}
		})
	}
}

// A duration with which nothing works is refused with the shortest that makes sense.
func TestDurations(t *testing.T) {
	t.Parallel()

	for path, set := range map[string]func(c *config.Config, d time.Duration){
		"server.read_header_timeout":       func(c *config.Config, d time.Duration) { c.Server.ReadHeaderTimeout = d },
		"server.idle_timeout":              func(c *config.Config, d time.Duration) { c.Server.IdleTimeout = d },
		"server.request_timeout":           func(c *config.Config, d time.Duration) { c.Server.RequestTimeout = d },
		"cors.max_age":                     func(c *config.Config, d time.Duration) { c.CORS.MaxAge = d },
		"overload.target_delay":            func(c *config.Config, d time.Duration) { c.Overload.TargetDelay = d },
		"redis.timeout":                    func(c *config.Config, d time.Duration) { c.Redis.Timeout = d },
		"limits.client.per":                func(c *config.Config, d time.Duration) { c.Limits.Client.Per = d },
		"auth.api_keys.reload_interval":    func(c *config.Config, d time.Duration) { c.Auth.APIKeys.ReloadInterval = d },
		"auth.issuers[0].refresh_interval": func(c *config.Config, d time.Duration) { c.Auth.Issuers[0].RefreshInterval = d },
		"upstreams.user.refresh_interval": func(c *config.Config, d time.Duration) {
			upstream(c, func(u *config.Upstream) { u.RefreshInterval = d })
		},
		"upstreams.user.probe.interval": func(c *config.Config, d time.Duration) {
			upstream(c, func(u *config.Upstream) { u.Probe.Interval = d })
		},
		"upstreams.user.breaker.window": func(c *config.Config, d time.Duration) {
			upstream(c, func(u *config.Upstream) { u.Breaker.Window = d })
		},
	} {
		for d, want := range map[time.Duration]string{
			time.Nanosecond: path + ": must be at least 1", time.Minute: "", 1 << 62: path + ": must be at most 8784h",
		} {
			c := valid()
			set(&c, d)

			err := c.Validate()
			if (err == nil) != (want == "") || err != nil && (!strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n")) {
				t.Errorf("%s: %s: got %v, want %q", path, d, err, want)
			}
		}
	}
}
