package bff_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// Every file that Redis and tracing need is read.
func TestCheckReadsFilesOfRedisAndTracing(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	none, plain, spaced := filepath.Join(dir, "none"), filepath.Join(dir, "plain"), filepath.Join(dir, "spaced")

	for path, text := range map[string]string{plain: "redis://:s3cret@h:1/0\n", spaced: "api s3cret=x\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	files := config.RedisTLS{Enabled: true, CAFile: none, CertFile: none, KeyFile: none}
	servers := []string{"a.test:1"}

	for name, tt := range map[string]struct {
		change func(*config.Config)
		// want are the settings with a fault.
		want []string
	}{
		"passwords": {
			func(c *config.Config) {
				c.Redis = config.Redis{
					Mode: config.RedisSentinel, MasterName: "m", Addresses: servers, PasswordFile: none, SentinelPasswordFile: none,
				}
			},
			[]string{"redis.password_file", "redis.sentinel_password_file"},
		},
		"url":       {func(c *config.Config) { c.Redis.URLFile = none }, []string{"redis.url_file"}},
		"plain_url": {func(c *config.Config) { c.Redis = config.Redis{URLFile: plain, TLS: config.RedisTLS{Enabled: true}} }, []string{"redis.url_file"}},
		"redis_tls": {
			func(c *config.Config) { c.Redis = config.Redis{Addresses: servers, TLS: files} },
			[]string{"redis.tls.ca_file", "redis.tls.cert_file", "redis.tls.key_file"},
		},
		"tracing_tls": {
			func(c *config.Config) {
				c.Tracing = config.Tracing{Endpoint: "https://c.test:1", TLS: config.UpstreamTLS{CAFile: none, CertFile: none, KeyFile: none}}
			},
			[]string{"tracing.tls.ca_file", "tracing.tls.cert_file", "tracing.tls.key_file"},
		},
		"tracing_headers": {
			func(c *config.Config) { c.Tracing = config.Tracing{Endpoint: "http://c.test:1", HeadersFile: plain} },
			[]string{"tracing.headers_file"},
		},
		"tracing_header_without_a_name": {
			func(c *config.Config) { c.Tracing = config.Tracing{Endpoint: "http://c.test:1", HeadersFile: spaced} },
			[]string{"tracing.headers_file"},
		},
		"redis_url_is_named_once": {func(c *config.Config) { c.Redis.URL = "http://h:1" }, []string{"redis.url"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			cfg, services := checkable()
			tt.change(&cfg)

			var (
				nowhere *config.Origins
				got     []string
			)

			for _, fault := range nowhere.Faults(bff.CheckConfig(t.Context(), cfg, services).Faults) {
				got = append(got, fault.Path)

				if strings.Contains(fault.Reason, "s3cret") {
					t.Errorf("a secret is shown: %s", fault.Reason)
				}
			}

			if strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// The password of Redis is in a file.
func TestCheckOnlineReadsSecrets(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	server.Do("CONFIG", "SET", "requirepass", "s3cret")

	file := filepath.Join(t.TempDir(), "password")

	for password, want := range map[string]bool{"s3cret": true, "other": false} {
		if err := os.WriteFile(file, []byte(password), 0o600); err != nil {
			t.Fatal(err)
		}

		cfg := config.Config{Redis: config.Redis{Addresses: []string{server.Addr}, PasswordFile: file}}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		found := bff.CheckOnline(ctx, cfg)

		cancel()

		if good := len(found.Passed) == 1 && found.Passed[0].Path == "redis.addresses"; good != want {
			t.Errorf("%s: got %+v", password, found)
		}
	}
}
