package redis_test

import (
	"crypto/tls"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/testkit/tlstest"
)

// identified returns a certificate of the authority.
func identified(t *testing.T, ca *tlstest.CA) (certFile, keyFile string, pair tls.Certificate) {
	t.Helper()

	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	ca.Issue(t, certFile, keyFile, "redis.internal", "")

	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}

	return certFile, keyFile, pair
}

func TestTLS(t *testing.T) {
	t.Parallel()

	ca, foreign := tlstest.NewCA(t), tlstest.NewCA(t)
	certFile, keyFile, own := identified(t, ca)
	_, _, other := identified(t, foreign)
	addr := redistest.Start(t, redistest.TLS(certFile, keyFile, ca.File)...).TLSAddr

	for name, row := range map[string]struct {
		tls *tls.Config
		// fault is a text of the log; empty: Redis is used. A server that refuses a certificate may close the connection before it
		// says so.
		fault string
	}{
		"mutual":               {&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{own}}, ""},
		"name":                 {&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{own}, ServerName: "redis.internal"}, ""},
		"other_name":           {&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{own}, ServerName: "cache.internal"}, "not cache.internal"},
		"unknown_authority":    {&tls.Config{RootCAs: foreign.Pool(), Certificates: []tls.Certificate{own}}, "certificate signed by unknown authority"},
		"no_certificate":       {&tls.Config{RootCAs: ca.Pool()}, "error="},
		"of_another_authority": {&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{other}}, "error="},
	} {
		for kind, settings := range map[string]config.Redis{
			"url": {URL: "rediss://" + addr}, "address": {Addresses: []string{addr}},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()

				var told watched

				settings.Timeout = slack
				client := openObserved(t, redis.Config{
					Redis: settings.WithDefaults(), TLSConfig: func() *tls.Config { return row.tls.Clone() }, OpenFor: 50 * time.Millisecond,
				}, told.observer())

				if row.fault == "" {
					if err := ping(t, client); err != nil {
						t.Error(err)
					}

					return
				}

				eventually(t, "open", func() bool {
					wantUnavailable(t, ping(t, client))
					return client.State() == redis.StateOpen
				})

				if lines := told.await(t, "redis is unavailable"); !strings.Contains(lines[0], row.fault) {
					t.Errorf("told %q", lines)
				}
			})
		}
	}
}

// Once, each idle connection that the server had closed cost a command, if it was encrypted.
func TestClosedConnectionsAreNotUsed(t *testing.T) { //nolint:tparallel // See below.
	t.Parallel()

	ca := tlstest.NewCA(t)
	certFile, keyFile, own := identified(t, ca)
	server := redistest.Start(t, redistest.TLS(certFile, keyFile, ca.File)...)

	for name, cfg := range map[string]redis.Config{
		"plain": {Redis: config.Redis{URL: server.URL()}},
		"tls": {Redis: config.Redis{URL: "rediss://" + server.TLSAddr}, TLSConfig: func() *tls.Config {
			return &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{own}}
		}},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // The connections of both are closed.
			var told watched

			cfg.Timeout = slack
			cfg.Redis = cfg.WithDefaults()
			client := openObserved(t, cfg, told.observer())

			if err := errors.Join(busy(t, client, 20, "0.5")...); err != nil {
				t.Fatal(err)
			}

			server.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

			for range 20 {
				if err := ping(t, client); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TLS is also for what is found through a Cluster or a Sentinel.
func TestTLSOfACluster(t *testing.T) {
	t.Parallel()

	ca := tlstest.NewCA(t)
	certFile, keyFile, own := identified(t, ca)
	nodes := redistest.StartCluster(t, 3, redistest.TLS(certFile, keyFile, ca.File)...)
	settings := redistest.ClusterSettings(nodes)
	settings.Addresses, settings.Timeout = []string{nodes[0].TLSAddr}, slack

	var dialed atomic.Int64

	client := open(t, redis.Config{Redis: settings.WithDefaults(), TLSConfig: func() *tls.Config {
		dialed.Add(1)
		return &tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{own}}
	}})

	for _, key := range keys(client, 20) {
		if err := client.Set(t.Context(), key, "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}

	if dialed.Load() < 3 {
		t.Errorf("%d connections have TLS", dialed.Load())
	}
}

// documentedUser is the least that a user needs, as the documentation says.
const documentedUser = "on >secret resetkeys ~portico:* resetchannels -@all " +
	"+@scripting +@read +@write +@connection +time +info +cluster|slots"

func TestUserOfDocumentation(t *testing.T) {
	t.Parallel()

	servers, nodes := redistest.StartSentinel(t), redistest.StartCluster(t, 3)
	for _, server := range append(nodes, servers.Primary) {
		server.Do(append([]string{"ACL", "SETUSER", "gateway"}, strings.Fields(documentedUser)...)...)
		server.Do("ACL", "SETUSER", "default", "off")
	}

	for mode, settings := range map[string]config.Redis{
		"single": {Addresses: []string{servers.Primary.Addr}}, "sentinel": servers.Settings(), "cluster": redistest.ClusterSettings(nodes),
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()

			script := redis.NewScript("count", countSource)

			for password, reason := range map[string]string{"secret": "", "wrong": "wrongpass", "": "noauth"} {
				var told watched

				own := settings
				if own.Timeout = slack; password != "" {
					own.Username, own.Password = "gateway", password
				}

				client := openObserved(t, redis.Config{Redis: own.WithDefaults()}, told.observer())

				err := client.Run(t.Context(), script, keys(client, 1), 1).Err()
				if reason == "" && err != nil || reason != "" && !errors.Is(err, redis.ErrUnavailable) {
					t.Errorf("%q: got %v", password, err)
				}

				if trouble := client.Trouble(); strings.Join(trouble, " ") != reason {
					t.Errorf("%q: trouble %q", password, trouble)
				}

				if reason != "" {
					told.await(t, "reason="+reason)
				} else if lines := told.lines(""); len(lines) > 0 {
					t.Errorf("told %q", lines)
				}
			}
		})
	}
}

// Connections that exist go on with the password that they have sent, and new ones send the new one.
func TestPasswordThatIsReplaced(t *testing.T) {
	t.Parallel()
	redistest.EachMode(t, func(t *testing.T, settings config.Redis) {
		t.Helper()

		var password atomic.Value

		password.Store("one")

		settings.Timeout = slack
		operator := open(t, redis.Config{Redis: settings.WithDefaults()})
		set := func(rules ...string) {
			t.Helper()

			if err := operator.EachPrimary(t.Context(), append([]any{"ACL", "SETUSER", "gateway"}, anys(rules)...)...); err != nil {
				t.Fatal(err)
			}
		}
		set("on", ">one", "~*", "+@all")

		if settings.URL != "" {
			settings.URL = strings.Replace(settings.URL, "//", "//gateway@", 1)
		} else {
			settings.Username = "gateway"
		}

		client := open(t, redis.Config{Redis: settings.WithDefaults(), Credentials: func() (string, string) {
			return "", password.Load().(string)
		}, OpenFor: 20 * time.Millisecond})
		script := redis.NewScript("count", countSource)
		run := func() error { return client.Run(t.Context(), script, keys(client, 1), 1).Err() }

		if err := run(); err != nil {
			t.Fatal(err)
		}

		set("resetpass", ">two")
		// The watch may use the connection at the same time.
		eventually(t, "served by a connection that exists", func() bool { return run() == nil })

		kill := []any{"CLIENT", "KILL", "USER", "gateway"}
		if err := operator.EachPrimary(t.Context(), kill...); err != nil {
			t.Fatal(err)
		}

		eventually(t, "refused", func() bool { return errors.Is(run(), redis.ErrUnavailable) })
		password.Store("two")
		eventually(t, "served", func() bool { return run() == nil })
	})
}

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, text := range texts {
		out[i] = text
	}

	return out
}
