package config_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
)

func TestDefaults(t *testing.T) {
	t.Parallel()

	algorithms, types := []string{"RS256", "ES256", "EdDSA"}, []string{"", "JWT", "at+jwt"}
	upstream := config.Upstream{
		Balancing: "round_robin", RefreshInterval: 30 * time.Second, MaxReceiveBytes: 4 << 20,
		Probe:       config.Probe{Interval: 500 * time.Millisecond, Timeout: time.Second},
		Ejection:    config.Ejection{Failures: 5, Time: 5 * time.Second, MaxRatio: 0.5},
		Concurrency: config.Concurrency{Min: 20, Max: 1000, Initial: 200},
		Breaker: config.Breaker{
			FailureRatio: 0.5, MinRequests: 10, Window: 10 * time.Second, OpenFor: 2 * time.Second, SlowRatio: 0.8, Probes: 1,
		},
	}

	// As the comments of the fields say.
	want := config.Config{
		Server: config.Server{
			Address: "127.0.0.1:8080", ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 1 << 20,
			RequestTimeout: 10 * time.Second, DrainDelay: 5 * time.Second, DrainTimeout: 30 * time.Second,
			MaxConnections: 20_000, MaxStreamsPerConnection: 250, MaxAbortedPerConnection: 100,
		},
		Admin:  config.Admin{Address: "127.0.0.1:8081"},
		Health: config.Health{Address: ":8082"},
		CORS: config.CORS{
			AllowedHeaders: []string{"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-Id", "X-Csrf", "X-Request-Id"}, MaxAge: 10 * time.Minute,
		},
		JSON:        config.JSON{Names: "camel", MaxDepth: 64},
		Compression: config.Compression{MinBytes: 1024},
		Idempotency: config.Idempotency{MaxBytes: 64 << 20},
		Cache:       config.Cache{MaxBytes: 64 << 20},
		Overload: config.Overload{
			TargetDelay: 5 * time.Millisecond, MaxInFlight: 1000 * runtime.GOMAXPROCS(0), MaxStreams: 10_000, MaxBufferedResponseBytes: 256 << 20,
		},
		Redis: config.Redis{Mode: "single", Timeout: 100 * time.Millisecond, Prefix: "portico:"},
		Query: config.Query{Ignored: []string{"utm_*"}},
		Limits: config.Limits{
			MaxBodyBytes: 1 << 20, MaxDecompressionRatio: 100, Client: config.Rate{Requests: 1000, Per: time.Second, Burst: 2000},
			MaxKeys: 100_000,
		},
		Auth: config.Auth{
			Issuers: []config.Issuer{
				{
					Issuer: "a", Algorithms: algorithms, TokenTypes: types, RefreshInterval: 5 * time.Minute, Leeway: 30 * time.Second,
					Claims: config.Claims{Subject: "sub", Roles: "roles", Tenant: "tenant"},
				},
			}, APIKeys: config.APIKeys{Header: "X-Api-Key", ReloadInterval: 10 * time.Second}, KeysGrace: 30 * time.Second, CacheTokens: 10_000,
			Internal: config.InternalToken{Lifetime: time.Minute},
			Sessions: config.Sessions{
				ClientAuth: "basic", Scopes: []string{"openid"}, Identity: "access_token",
				Claims: config.Claims{Subject: "sub", Roles: "roles", Tenant: "tenant"},
				Cookie: "__Host-portico-session", SameSite: "strict", Header: "X-Csrf",
				IdleTimeout: time.Hour, MaxLifetime: 12 * time.Hour, RefreshAhead: time.Minute, MaxSessions: 100_000,
			},
		},
		Log: config.Log{Level: "info", Format: "json", Sample: 1},
		Tracing: config.Tracing{
			Protocol: "grpc", Timeout: 10 * time.Second, SampleRatio: 0.01, TrustSampled: "none", QueueSize: 2048, BatchSize: 512,
			BatchInterval: 5 * time.Second,
		},
		Docs:      config.Docs{OpenAPI: "authenticated", Page: "off", Title: "REST API", Version: "1"},
		Upstreams: map[string]config.Upstream{"user": upstream},
	}

	given := config.Config{
		Auth:      config.Auth{Issuers: []config.Issuer{{Issuer: "a"}}},
		Upstreams: map[string]config.Upstream{"user": {}},
	}
	if diff := cmp.Diff(want, given.WithDefaults(), asSet); diff != "" {
		t.Error(diff)
	}

	if given.Auth.Issuers[0].Leeway != 0 || given.Upstreams["user"].Breaker.Window != 0 {
		t.Errorf("WithDefaults changed what it was given: %+v", given)
	}

	if diff := cmp.Diff(want, want.WithDefaults(), asSet); diff != "" {
		t.Errorf("defaults replaced what was set: %s", diff)
	}
}

func TestDefaultsOfTheClientLimit(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name        string
		given, want config.Rate
	}{
		{"nothing_set", config.Rate{}, config.Rate{Requests: 1000, Per: time.Second, Burst: 2000}},
		{"requests_alone", config.Rate{Requests: 5}, config.Rate{Requests: 5, Per: time.Second, Burst: 5}},
		{"requests_and_burst", config.Rate{Requests: 5, Burst: 7}, config.Rate{Requests: 5, Per: time.Second, Burst: 7}},
		{"per_minute", config.Rate{Requests: 5, Per: time.Minute}, config.Rate{Requests: 5, Per: time.Minute, Burst: 5}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			got := config.Config{Limits: config.Limits{Client: tt.given}}.WithDefaults().Limits.Client
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// valid is a configuration without a fault.
func valid() config.Config {
	return config.Config{
		Auth: config.Auth{Issuers: []config.Issuer{
			{Issuer: "https://a.example", Audiences: []string{"portico"}, JWKSFile: "keys.json"},
			{Issuer: "https://b.example", Audiences: []string{"portico"}, JWKSURL: "https://b.example/keys"},
		}},
		Upstreams: map[string]config.Upstream{
			"user": {Addresses: []string{"u:1", "[::1]:2"}}, "order": {Target: "dns:///o:1"},
		},
	}.WithDefaults()
}

func TestValid(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		change func(c *config.Config)
	}{
		{"as_it_is", func(*config.Config) {}},
		{"no_admin_listener", func(c *config.Config) { c.Admin.Address = config.AdminOff }},
		{"all_interfaces", func(c *config.Config) { c.Server.Address = ":8080" }},
		{"no_issuers_where_auth_is_off", func(c *config.Config) { c.Auth.Disabled, c.Auth.Issuers = true, nil }},
		{"origin_with_a_star", func(c *config.Config) { c.CORS.AllowedOrigins = []string{"https://*.example.com"} }},
		{"any_origin_without_credentials", func(c *config.Config) { c.CORS.AllowedOrigins = []string{"*"} }},
		{"no_upstreams", func(c *config.Config) { c.Upstreams = nil }},
		{"every_failure_needed_to_open", func(c *config.Config) { upstream(c, func(u *config.Upstream) { u.Breaker.FailureRatio = 1 }) }},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			c := valid()
			tt.change(&c)

			if err := c.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// upstream changes the upstream "user".
func upstream(c *config.Config, change func(u *config.Upstream)) {
	u := c.Upstreams["user"]
	change(&u)
	c.Upstreams["user"] = u
}

func TestInvalid(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		change func(c *config.Config)
		want   string
	}{
		{"address_without_a_port", func(c *config.Config) { c.Server.Address = "localhost" }, `server.address: "localhost" is not host:port`},
		{"address_with_an_empty_port", func(c *config.Config) { c.Server.Address = "localhost:" }, "server.address: "},
		{"port_beyond_all", func(c *config.Config) { c.Server.Address = ":70000" }, `server.address: ":70000" is not host:port`},
		{"port_of_no_service", func(c *config.Config) { c.Server.Address = ":webb" }, `server.address: ":webb" is not host:port`},
		{"admin_address", func(c *config.Config) { c.Admin.Address = "off" }, `admin.address: "off" is not host:port`},
		{"read_header_timeout", func(c *config.Config) { c.Server.ReadHeaderTimeout = -1 }, "server.read_header_timeout: must be positive"},
		{"idle_timeout", func(c *config.Config) { c.Server.IdleTimeout = -1 }, "server.idle_timeout: must be positive"},
		{"request_timeout", func(c *config.Config) { c.Server.RequestTimeout = -1 }, "server.request_timeout: must be positive"},
		{"drain_timeout", func(c *config.Config) { c.Server.DrainTimeout = -1 }, "server.drain_timeout: must be positive"},
		{"drain_delay", func(c *config.Config) { c.Server.DrainDelay = -1 }, "server.drain_delay: must not be negative"},
		{"max_header_bytes", func(c *config.Config) { c.Server.MaxHeaderBytes = -1 }, "server.max_header_bytes: must be positive"},
		{
			"max_decompression_ratio", func(c *config.Config) { c.Limits.MaxDecompressionRatio = -1 },
			"limits.max_decompression_ratio: must be positive",
		},
		{"max_body_bytes", func(c *config.Config) { c.Limits.MaxBodyBytes = -1 }, "limits.max_body_bytes: must be positive"},
		{"max_receive_bytes", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.MaxReceiveBytes = -1 })
		}, "upstreams.user.max_receive_bytes: must be positive"},
		{"max_keys", func(c *config.Config) { c.Limits.MaxKeys = -1 }, "limits.max_keys: must be positive"},
		{"client_requests", func(c *config.Config) { c.Limits.Client.Requests = 0 }, "limits.client.requests: must be positive"},
		{"client_burst", func(c *config.Config) { c.Limits.Client.Burst = -1 }, "limits.client.burst: must be positive"},
		{"client_per", func(c *config.Config) { c.Limits.Client.Per = -1 }, "limits.client.per: must be positive"},
		{"cors_max_age", func(c *config.Config) { c.CORS.MaxAge = -1 }, "cors.max_age: must not be negative"},
		{"log_level", func(c *config.Config) { c.Log.Level = "loud" }, `log.level: "loud" is not one of debug, info, warn, error`},
		{"log_sample", func(c *config.Config) { c.Log.Sample = 1.5 }, "log.sample: must be over 0, up to 1"},
		{"log_slow_after", func(c *config.Config) { c.Log.SlowAfter = -1 }, "log.slow_after: must not be negative"},
		{"log_format", func(c *config.Config) { c.Log.Format = "xml" }, `log.format: "xml" is not one of json, text`},
		{"trusted_proxy", func(c *config.Config) {
			c.ClientIP.TrustedProxies = []string{"10.0.0.0/8", "10.0.0.1"}
		}, `client_ip.trusted_proxies[1]: "10.0.0.1" is not a CIDR prefix`},

		{"origin_without_a_scheme", func(c *config.Config) {
			c.CORS.AllowedOrigins = []string{"app.example.com"}
		}, `cors.allowed_origins[0]: "app.example.com" is not scheme://host`},
		{"origin_with_two_stars", func(c *config.Config) {
			c.CORS.AllowedOrigins = []string{"https://*.*.com"}
		}, `cors.allowed_origins[0]: carries more than one "*"`},
		{"any_origin_with_credentials", func(c *config.Config) {
			c.CORS.AllowedOrigins, c.CORS.AllowCredentials = []string{"*"}, true
		}, `cors.allowed_origins[0]: "*" does not go with allow_credentials`},

		{"nobody_to_trust", func(c *config.Config) { c.Auth.Issuers = nil }, "auth: needs issuers, api_keys, certificates or sessions, or disabled"},
		{"issuer_without_a_name", func(c *config.Config) { c.Auth.Issuers[0].Issuer = "" }, "auth.issuers[0].issuer: is needed"},
		{"issuer_twice", func(c *config.Config) {
			c.Auth.Issuers[1].Issuer = c.Auth.Issuers[0].Issuer
		}, "auth.issuers[1].issuer: is configured twice"},
		{"issuer_without_audiences", func(c *config.Config) {
			c.Auth.Issuers[1].Audiences = nil
		}, "auth.issuers[1].audiences: needs at least one"},
		{"issuer_with_an_empty_audience", func(c *config.Config) {
			c.Auth.Issuers[1].Audiences = []string{"a", ""}
		}, "auth.issuers[1].audiences: needs at least one, and none that is empty"},
		{"issuer_with_keys_in_two_places", func(c *config.Config) {
			c.Auth.Issuers[1].JWKSFile = "keys.json"
		}, "auth.issuers[1]: has both jwks_file and jwks_url"},
		{"symmetric_algorithm", func(c *config.Config) {
			c.Auth.Issuers[0].Algorithms = []string{"RS256", "HS256"}
		}, `auth.issuers[0].algorithms[1]: "HS256" is not one of RS256, ES256, EdDSA`},
		{"no_algorithm", func(c *config.Config) {
			c.Auth.Issuers[0].Algorithms = []string{"none"}
		}, `auth.issuers[0].algorithms[0]: "none" is not one of`},
		{"keys_grace", func(c *config.Config) { c.Auth.KeysGrace = -1 }, "auth.keys_grace: must not be negative"},
		{"token_type_with_a_space", func(c *config.Config) {
			c.Auth.Issuers[0].TokenTypes = []string{"", "application/at+jwt", "at+jwt, JWT"}
		}, `auth.issuers[0].token_types[2]: "at+jwt, JWT" is not a media type`},
		{"token_type_with_two_slashes", func(c *config.Config) {
			c.Auth.Issuers[1].TokenTypes = []string{"application/at/jwt"}
		}, `auth.issuers[1].token_types[0]: "application/at/jwt" is not a media type`},
		{"keys_at_no_url", func(c *config.Config) { c.Auth.Issuers[1].JWKSURL = "keys" }, "auth.issuers[1].jwks_url: is not an http"},
		{"keys_at_a_file_url", func(c *config.Config) {
			c.Auth.Issuers[1].JWKSURL = "file:///keys"
		}, "auth.issuers[1].jwks_url: is not an http"},
		{"leeway", func(c *config.Config) { c.Auth.Issuers[0].Leeway = -1 }, "auth.issuers[0].leeway: must not be negative"},
		{"refresh_interval", func(c *config.Config) {
			c.Auth.Issuers[0].RefreshInterval = -1
		}, "auth.issuers[0].refresh_interval: must be positive"},

		{"discovery_without_a_url", func(c *config.Config) {
			c.Auth.Issuers[0].Issuer, c.Auth.Issuers[0].JWKSFile = "acme", ""
		}, "auth.issuers[0].issuer: is not a URL, so it needs jwks_file or jwks_url"},
		{"key_header", func(c *config.Config) { c.Auth.APIKeys.Header = "X Key" }, `auth.api_keys.header: "X Key" is not a header name`},
		{"key_header_is_the_tokens", func(c *config.Config) {
			c.Auth.APIKeys.Header = "authorization"
		}, "auth.api_keys.header: Authorization carries tokens"},
		{"key_reload", func(c *config.Config) { c.Auth.APIKeys.ReloadInterval = -1 }, "auth.api_keys.reload_interval: must be positive"},
		{"cached_tokens", func(c *config.Config) { c.Auth.CacheTokens = -1 }, "auth.cache_tokens: must be positive"},
		{"internal_lifetime", func(c *config.Config) {
			c.Auth.Internal.Lifetime = time.Second
		}, "auth.internal_token.lifetime: must be at least 2s"},
		{"certificates_without_an_authority", func(c *config.Config) {
			c.Auth.Certificates = []config.Certificate{{Name: "cn:a", Subject: "a"}}
		}, "auth.certificates: needs server.tls.client_ca_file"},
		{"certificate_of_no_kind", func(c *config.Config) {
			c.Server.TLS = config.ServerTLS{CertFile: "c", KeyFile: "k", ClientCAFile: "a"}
			c.Auth.Certificates = []config.Certificate{{Name: "billing", Subject: "a"}}
		}, `auth.certificates[0].name: "billing" is not one of uri:…, dns:…, email:…, cn:…`},
		{"certificate_without_a_name", func(c *config.Config) {
			c.Server.TLS = config.ServerTLS{CertFile: "c", KeyFile: "k", ClientCAFile: "a"}
			c.Auth.Certificates = []config.Certificate{{Name: "cn:", Subject: "a"}}
		}, `auth.certificates[0].name: "cn:" is not one of`},
		{"certificate_twice", func(c *config.Config) {
			c.Server.TLS = config.ServerTLS{CertFile: "c", KeyFile: "k", ClientCAFile: "a"}
			c.Auth.Certificates = []config.Certificate{{Name: "cn:a", Subject: "a"}, {Name: "cn:a", Subject: "b"}}
		}, "auth.certificates[1].name: is configured twice"},
		{"certificate_for_nobody", func(c *config.Config) {
			c.Server.TLS = config.ServerTLS{CertFile: "c", KeyFile: "k", ClientCAFile: "a"}
			c.Auth.Certificates = []config.Certificate{{Name: "cn:a"}}
		}, "auth.certificates[0].subject: is needed"},
		{"certificate_without_a_key", func(c *config.Config) {
			c.Server.TLS.CertFile = "c"
		}, "server.tls: needs both cert_file and key_file, or neither"},
		{"client_auth_without_an_authority", func(c *config.Config) {
			c.Server.TLS.ClientAuth = "optional"
		}, "server.tls.client_auth: needs client_ca_file"},
		{"header_with_a_space", func(c *config.Config) {
			c.Headers.Request = []string{"Accept Language"}
		}, `headers.request[0]: "Accept Language" is not a header name`},
		{"response_header_with_a_colon", func(c *config.Config) {
			c.Headers.Response = []string{"ok", "a:b"}
		}, `headers.response[1]: "a:b" is not a header name`},
		{"upstream_certificate_without_a_key", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.TLS.CertFile = "c" })
		}, "upstreams.user.tls: needs both cert_file and key_file, or neither"},

		{"upstream_nowhere", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Addresses = nil })
		}, "upstreams.user: needs either addresses or target"},
		{"upstream_in_two_places", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Target = "dns:///u:1" })
		}, "upstreams.user: needs either addresses or target"},
		{"upstream_without_a_port", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Addresses = []string{"u:1", "u"} })
		}, `upstreams.user.addresses[1]: "u" is neither host:port, with a port from 1 to 65535, nor unix:path`},
		{"upstream_with_a_scheme", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Addresses = []string{"u:1", "http://u"} })
		}, `upstreams.user.addresses[1]: "http://u" is neither host:port, with a port from 1 to 65535, nor unix:path`},
		{"upstream_authority", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Authority = "https://u.internal" })
		}, `upstreams.user.authority: "https://u.internal" is not host or host:port`},
		{"upstream_server_name", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.TLS.ServerName = "u.internal:443" })
		}, `upstreams.user.tls.server_name: "u.internal:443" is not a host name or an IP address`},
		{"ratio_over_one", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Breaker.FailureRatio = 1.1 })
		}, "upstreams.user.breaker.failure_ratio: must be over 0, up to 1"},
		{"ratio_under_nothing", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Breaker.FailureRatio = -0.1 })
		}, "upstreams.user.breaker.failure_ratio: must be over 0, up to 1"},
		{"breaker_window", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Breaker.Window = -1 })
		}, "upstreams.user.breaker.window: must be positive"},
		{"refresh_interval_of_names", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.RefreshInterval = time.Millisecond })
		}, "upstreams.user.refresh_interval: must be at least 1s"},
		{"balancing", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Balancing = "random" })
		}, `upstreams.user.balancing: "random" is not one of round_robin, `},
		{"slow_ratio", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Breaker.SlowRatio = 2 })
		}, "upstreams.user.breaker.slow_ratio: must be over 0, up to 1"},
		{"slow_after", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Breaker.SlowAfter = -1 })
		}, "upstreams.user.breaker.slow_after: must not be negative"},
		{"probe_timeout", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Probe.Timeout = -1 })
		}, "upstreams.user.probe.timeout: must be positive"},
		{"ejection_failures", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Ejection.Failures = -1 })
		}, "upstreams.user.ejection.failures: must be positive"},
		{"concurrency", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Concurrency.Min = 2000 })
		}, "upstreams.user.concurrency: needs min <= initial <= max"},
		{"buffered_responses", func(c *config.Config) {
			c.Overload.MaxBufferedResponseBytes = -1
		}, "overload.max_buffered_response_bytes: must be positive"},
		{"target_delay", func(c *config.Config) { c.Overload.TargetDelay = -1 }, "overload.target_delay: must be positive"},
		{"in_flight", func(c *config.Config) { c.Overload.MaxInFlight = -1 }, "overload.max_in_flight: must be positive"},
		{"streams_per_connection", func(c *config.Config) {
			c.Server.MaxStreamsPerConnection = -1
		}, "server.max_streams_per_connection: must be positive"},
		{"cache", func(c *config.Config) { c.Cache.MaxBytes = -1 }, "cache.max_bytes: must be positive"},
		{"redis", func(c *config.Config) { c.Redis.URL = "localhost:6379" }, "redis.url: is not redis://host:port or rediss://host:port"},
		{"selector", func(c *config.Config) {
			c.Policies = []config.Policy{{Set: map[string]any{"timeout": "1s"}}}
		}, "policies[0].selector: is needed"},
		{"breaker_open_for", func(c *config.Config) {
			upstream(c, func(u *config.Upstream) { u.Breaker.OpenFor = -1 })
		}, "upstreams.user.breaker.open_for: must be positive"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			c := valid()
			tt.change(&c)

			err := c.Validate()
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %s and nothing else", err, tt.want)
			}
		})
	}

	// Nobody wants to mend one fault per start.
	t.Run("all_at_once", func(t *testing.T) {
		t.Parallel()

		c := valid()

		want := map[string]bool{}
		for _, tt := range tests {
			switch tt.name {
			// These undo what others break.
			case "nobody_to_trust", "upstream_nowhere", "upstream_in_two_places", "address_with_an_empty_port", "no_algorithm",
				"ratio_under_nothing", "keys_at_a_file_url", "issuer_twice", "origin_without_a_scheme", "origin_with_two_stars",
				"issuer_with_keys_in_two_places", "key_header", "certificates_without_an_authority", "certificate_of_no_kind", "certificate_without_a_name", "certificate_twice",
				"client_auth_without_an_authority", "discovery_without_a_url",
				"certificate_without_a_key":
			default:
				tt.change(&c)

				path, _, _ := strings.Cut(tt.want, ": ")
				want[path] = true
			}
		}

		got := map[string]bool{}

		for line := range strings.Lines(c.Validate().Error()) {
			path, _, _ := strings.Cut(line, ": ")
			got[path] = true
		}

		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
