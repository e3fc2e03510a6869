package traffic_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testhook"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// Two gateways are one to a caller, whatever kind of Redis they share.
func TestTwoGatewaysOverEachKindOfRedis(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		const tokens = 10

		settings.Timeout = 10 * time.Second
		twins, _ := gatewaytest.StartTwins(t, func(c *config.Config) {
			c.Redis = settings
			limited(c, getUser, hourly(tokens, nil))
		})

		header, client := twins[0].As(t, "alice"), gatewaytest.PlainClient(t)

		for i := range tokens + 2 {
			res := twins[i%2].MustSend(t, client, gatewaytest.Request{Target: aliceAccount, Header: header})
			if want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < tokens]; res.Status != want {
				t.Errorf("%d: %d %s", i, res.Status, res.Body)
			}
		}

		header.Set("Idempotency-Key", "key")

		for i := range 2 {
			res := twins[i].MustSend(t, client, gatewaytest.Request{
				Method: http.MethodPost, Target: "/v1/orders", Header: header, Body: gatewaytest.AnOrder,
			})
			if replayed := res.Header.Get("Idempotency-Replayed") != ""; res.Status != http.StatusCreated || replayed != (i == 1) {
				t.Errorf("%d: %d %v %s", i, res.Status, res.Header, res.Body)
			}
		}
	})
}

// put writes a file.
func put(t *testing.T, path, text string) {
	t.Helper()

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A password and a certificate that are replaced are used without a restart, and no request notices.
func TestRotationOfSecretsOfRedis(t *testing.T) { //nolint:tparallel // They share a user.
	t.Parallel()

	ca, dir := tlstest.NewCA(t), t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }

	ca.Issue(t, file("redis.crt"), file("redis.key"), "redis.internal", "")
	ca.Issue(t, file("gateway.crt"), file("gateway.key"), "gateway", "spiffe://prod/gateway")

	server := redistest.Start(t, redistest.TLS(file("redis.crt"), file("redis.key"), ca.File)...)
	server.Do("ACL", "SETUSER", "gateway", "on", ">one", "~*", "+@all")

	for name, settings := range map[string]config.Redis{
		"password": {Addresses: []string{server.TLSAddr}, Username: "gateway", PasswordFile: file("password")},
		"url":      {URLFile: file("url")},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // They share a user.
			set := func(password string) {
				put(t, file("password"), password+"\n")
				put(t, file("url"), "rediss://gateway:"+password+"@"+server.TLSAddr)
			}
			set("one")
			server.Do("ACL", "SETUSER", "gateway", "resetpass", ">one")

			settings.Timeout = 10 * time.Second
			settings.TLS = config.RedisTLS{CAFile: ca.File, CertFile: file("gateway.crt"), KeyFile: file("gateway.key"), ServerName: "redis.internal"}
			ctx := testhook.With(t.Context(), func(h *testhook.Hooks) { h.TLSInterval = 5 * time.Millisecond })
			site := gatewaytest.StartIn(ctx, t, func(c *config.Config) {
				c.Redis = settings
				limited(c, getUser, hourly(1_000_000, gatewaytest.Object{"closed_on_outage": true}))
			})
			header, client := site.As(t, "alice"), gatewaytest.PlainClient(t)
			status := func() int {
				return site.MustSend(t, client, gatewaytest.Request{Target: aliceAccount, Header: header}).Status
			}

			if got := status(); got != http.StatusOK {
				t.Fatalf("got %d", got)
			}

			// As a rotation is made: both are valid for a while.
			server.Do("ACL", "SETUSER", "gateway", ">two")
			ca.Issue(t, file("gateway.crt"), file("gateway.key"), "gateway", "spiffe://prod/gateway")
			set("two")
			gatewaytest.Eventually(t, "both files being read again", func() bool {
				return strings.Count(site.Logs.String(), "file read again") >= 2
			})
			server.Do("ACL", "SETUSER", "gateway", "<one")
			server.Do("CLIENT", "KILL", "USER", "gateway")

			for range 20 {
				if got := status(); got != http.StatusOK {
					t.Errorf("got %d: %s", got, site.Logs.String())
				}
			}
		})
	}
}

func TestFilesOfRedisThatCannotBeRead(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	put(t, filepath.Join(dir, "empty"), "\n")
	put(t, filepath.Join(dir, "url"), "redis://:secret@127.0.0.1:6379")
	put(t, filepath.Join(dir, "no-url"), "http://:secret@127.0.0.1:6379")

	at := []string{"127.0.0.1:6379"}
	file := func(name string) string { return filepath.Join(dir, name) }

	for name, row := range map[string]struct {
		settings   config.Redis
		path, text string
	}{
		"missing_password": {config.Redis{Addresses: at, PasswordFile: file("missing")}, "redis.password_file", "no such file"},
		"empty_password":   {config.Redis{Addresses: at, PasswordFile: file("empty")}, "redis.password_file", "is empty"},
		"no_url":           {config.Redis{URLFile: file("no-url")}, "redis.url_file", "invalid URL scheme"},
		"url_without_tls":  {config.Redis{URLFile: file("url"), TLS: config.RedisTLS{Enabled: true}}, "redis.url_file", "must begin with rediss://"},
		"sentinel": {
			config.Redis{Mode: "sentinel", MasterName: "m", Addresses: at, SentinelPasswordFile: file("missing")},
			"redis.sentinel_password_file", "no such file",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			compiled := gatewaytest.Compile(t, config.Config{
				Auth: config.Auth{Disabled: true}, Redis: row.settings,
				Upstreams: map[string]config.Upstream{"shelf": gatewaytest.Upstream("127.0.0.1:1")},
			}, gatewaytest.WithShelf())
			_, err := compiled.Open(context.WithoutCancel(t.Context()))

			var fault *config.Fault
			if !errors.As(err, &fault) || fault.Path != row.path || !strings.Contains(fault.Error(), row.text) ||
				strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}
