package servers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

const workers = 8

// load sends requests, several at a time, until enough has happened, and then fails the test if one of them was not answered with 200.
func load(t *testing.T, g *gateway, target string, enough func()) {
	t.Helper()
	loadAll(t, slices.Repeat([]*gateway{g}, workers), target, enough)
}

// loadAll is load with a worker for each element.
func loadAll(t *testing.T, gateways []*gateway, target string, enough func()) {
	t.Helper()

	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		sent   int
		failed []string
	)

	ctx, stop := context.WithCancel(t.Context())

	for _, g := range gateways {
		all.Go(func() {
			for ctx.Err() == nil {
				var body io.Reader
				if target == postUnary {
					body = strings.NewReader("{}")
				}

				// What has been sent is waited for.
				res, err := g.send(g.call(context.WithoutCancel(ctx), target, "", body))

				mu.Lock()
				sent++

				if err != nil || res.status != http.StatusOK {
					failed = append(failed, fmt.Sprint(res, err))

					t.Fail()
					stop()
				}
				mu.Unlock()
			}
		})
	}

	// enough may end the test.
	defer func() {
		stop()
		all.Wait()

		if len(failed) > 0 || sent == 0 {
			t.Errorf("%d of %d failed, such as %.300s", len(failed), sent, strings.Join(failed, "\n"))
		}
	}()

	enough()
}

// watched waits for n connections to the server: on each, the gateway asks for the health.
func watched(t *testing.T, s *servers.Server, n int) {
	t.Helper()
	s.AwaitCount(t, "watch", "", s.Count("watch", "")+n)
}

// Servers and proxies end connections when they are old, and let calls end that are under way. No call fails, whether it may be made
// again or not.
func TestGoAway(t *testing.T) {
	t.Parallel()

	// gRPC sends a call again that the end of its connection has stopped, but not one that the next connection stops as well, which
	// on a busy machine must therefore be much older than a call takes.
	aged := servers.Config{
		Health: servers.Serving, Options: map[string]int{"grpc.max_connection_age_ms": 1000, "grpc.max_connection_age_grace_ms": 60_000},
	}

	for name, start := range map[string]func(t *testing.T) peer{
		"node":   func(t *testing.T) peer { t.Helper(); return peers()["node"](t, aged) },
		"python": func(t *testing.T) peer { t.Helper(); return peers()["python"](t, aged) },
		"nginx": func(t *testing.T) peer {
			t.Helper()

			s := servers.Python(t, servers.Config{Health: servers.Serving})

			return peer{Server: s, address: servers.Nginx(t, servers.ProxyConfig{
				Backend: s.Address, Lines: []string{"keepalive_requests 50;"},
			}).Address}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p := start(t)
			g := startGateway(t, upstream(p.address))

			_, finish := openStream(t, g)

			load(t, g, postUnary, func() { watched(t, p.Server, 4) })

			// It began on the first connection.
			finish()
		})
	}
}

// openStream begins a bidirectional stream and returns the call once a message has come back. finish sends one more, and fails the test
// unless that comes back as well and the stream ends well.
func openStream(t *testing.T, g *gateway) (c call, finish func()) {
	t.Helper()

	out, in := io.Pipe()
	c = g.call(t.Context(), bothWays, "", out)
	c.req.Header.Set("Content-Type", "application/x-ndjson")

	go func() { _, _ = io.WriteString(in, "{}\n") }()

	lines := g.open(t, c)
	if line, err := lines.ReadString('\n'); err != nil {
		t.Fatalf("%q, %v", line, err)
	}

	return c, func() {
		t.Helper()

		go func() { _, _ = io.WriteString(in, "{}\n"); _ = in.Close() }()

		if rest, err := io.ReadAll(lines); err != nil || string(rest) != "{}\n" {
			t.Errorf("the stream that was in progress: %q, %v", rest, err)
		}
	}
}

// One of two proxies stops gracefully, while unary calls and a stream are in progress on it. None of them fails, new calls go to the
// other proxy, and the one that stops can end.
func TestGracefulStopOfAProxy(t *testing.T) {
	t.Parallel()

	for name, start := range map[string]func(testing.TB, servers.ProxyConfig) *servers.Proxy{
		"nginx": servers.Nginx, "haproxy": servers.HAProxy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			stops, stays := servers.Python(t, servers.Config{Health: servers.Serving}), servers.Node(t, servers.Config{Health: servers.Serving})
			proxy, other := start(t, servers.ProxyConfig{Backend: stops.Address}), start(t, servers.ProxyConfig{Backend: stays.Address})
			g := startGateway(t, upstream(proxy.Address, other.Address))
			c, finish := openStream(t, g)

			if stays.Count("begin", c.id) > 0 {
				stops, stays, proxy = stays, stops, other
			}

			load(t, g, postUnary, func() {
				eventually(t, "both are called", func() bool { return stops.Calls() > 20 && stays.Calls() > 20 })
				proxy.Quit(t)
				eventually(t, "only one is called", func() bool {
					before, others := stops.Calls(), stays.Calls()

					eventually(t, "the other one is called", func() bool { return stays.Calls() > others+40 })

					return stops.Calls() == before
				})
			})

			finish()
			proxy.AwaitEnd(t)
		})
	}
}

// A server that finds that it gets too many pings ends the connection, with the calls on it. Those that may be made again are.
func TestTooManyPings(t *testing.T) {
	t.Parallel()

	s := servers.Node(t, servers.Config{Health: servers.Serving})
	g := startGateway(t, upstream(s.Address))

	load(t, g, getUser, func() {
		for range 3 {
			before := s.Calls()

			eventually(t, "called", func() bool { return s.Calls() > before+20 })
			s.Calm(t)
			watched(t, s, 1)
		}
	})
}

// Of two servers, one ends and comes back on its port, in turn. No idempotent request is lost, and the port is found again.
func TestRestart(t *testing.T) {
	t.Parallel()

	for name, start := range map[string]func(testing.TB, servers.Config) *servers.Server{"node": servers.Node, "python": servers.Python} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			pair := [2]*servers.Server{start(t, servers.Config{Health: servers.Serving}), start(t, servers.Config{Health: servers.Serving})}
			g := startGateway(t, upstream(pair[0].Address, pair[1].Address))

			load(t, g, getUser, func() {
				for i, end := range []func(*servers.Server, testing.TB){
					(*servers.Server).Kill, (*servers.Server).Stop, (*servers.Server).Drain,
				} {
					i %= len(pair)
					end(pair[i], t)
					pair[i].AwaitEnd(t)

					pair[i] = pair[i].Restart(t)
					// It is back before the other one goes.
					eventually(t, "called again", func() bool { return pair[i].Calls() > 0 })
				}
			})
		})
	}
}

// A server that comes back alone on its port is found again.
func TestRestartOfTheOnlyServer(t *testing.T) {
	t.Parallel()

	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p := start(t, servers.Config{})
			g := startGateway(t, upstream(p.address))

			if res := g.do(t, getUser, "", ""); res.status != http.StatusOK {
				t.Fatal(res)
			}

			p.Kill(t)

			// Proxies answer with a page of their own.
			if res := g.do(t, postUnary, "", "{}"); res.status != http.StatusServiceUnavailable || res.json(t)["code"] != "UNAVAILABLE" {
				t.Errorf("without the backend: %s", res)
			}

			p.Restart(t)
			eventually(t, "answered again", func() bool { return g.do(t, getUser, "", "").status == http.StatusOK })
		})
	}
}

// Without a health service, every server is fine; with one, those that do not say SERVING get no calls.
func TestHealth(t *testing.T) {
	t.Parallel()

	for name, start := range peers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			p, other := start(t, servers.Config{Health: servers.NotServing}), start(t, servers.Config{})
			g := startGateway(t, upstream(p.address, other.address))

			const calls = 20
			ask := func() {
				t.Helper()

				for range calls {
					if res := g.do(t, postUnary, "", "{}"); res.status != http.StatusOK {
						t.Fatal(res)
					}
				}
			}

			// The first calls connect to both.
			ask()
			p.AwaitCount(t, "watch", "", 1)
			ask()

			if n := p.Calls(); n > 0 {
				t.Errorf("one that is not SERVING gets %d calls", n)
			}

			p.Health(t, servers.Serving)
			eventually(t, "it gets calls", func() bool { ask(); return p.Calls() > 0 })

			p.Health(t, servers.NotServing)
			eventually(t, "it gets none", func() bool {
				before := p.Calls()

				ask()

				return p.Calls() == before
			})

			alone := startGateway(t, upstream(p.address))

			// Until its health is known, calls wait, and may end with their deadlines.
			eventually(t, "refused", func() bool {
				res := alone.do(t, getUser, "", "")
				if res.status == http.StatusOK {
					t.Errorf("alone and not SERVING: %s", res)
				}

				return res.status == http.StatusServiceUnavailable
			})

			p.Health(t, servers.Serving)
			eventually(t, "answered", func() bool { return alone.do(t, getUser, "", "").status == http.StatusOK })
		})
	}
}

// A proxy ends streams that are idle for a while, and so the health stream. The backend still counts as healthy.
func TestHealthIsAskedForAgain(t *testing.T) {
	t.Parallel()

	const watch = "/grpc.health.v1.Health/Watch"

	// A proxy that gets no header in that time replies with an error, and the backend is down, so the backend must be able to reply on a
	// busy machine.
	const idle = "4s"

	for name, start := range map[string]func(t *testing.T, backend string) *servers.Proxy{
		"nginx": func(t *testing.T, backend string) *servers.Proxy {
			t.Helper()

			return servers.Nginx(t, servers.ProxyConfig{Backend: backend, Lines: []string{
				"location = " + watch + " { grpc_pass grpc://backend; grpc_read_timeout " + idle + "; }",
			}})
		},
		"haproxy": func(t *testing.T, backend string) *servers.Proxy {
			t.Helper()

			return servers.HAProxy(t, servers.ProxyConfig{Backend: backend, Lines: []string{
				"http-request set-timeout server " + idle + " if { path " + watch + " }",
			}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := servers.Python(t, servers.Config{Health: servers.Serving})
			address := start(t, s.Address).Address

			// Each asks by itself.
			gateways := make([]*gateway, workers)
			for i := range gateways {
				gateways[i] = startGateway(t, upstream(address))
			}

			loadAll(t, gateways, postUnary, func() { watched(t, s, 3*len(gateways)) })
		})
	}
}

// A server that hangs loses its connection, and the calls on it are retried elsewhere.
func TestFrozen(t *testing.T) {
	t.Parallel()

	for name, start := range map[string]func(testing.TB, servers.Config) *servers.Server{"node": servers.Node, "python": servers.Python} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			frozen, other := start(t, servers.Config{}), start(t, servers.Config{})
			u := upstream(frozen.Address, other.Address)
			// Only probes find out. The other one replies in that time even on a busy machine.
			u.Probe.Timeout = 5 * time.Second
			g := startGateway(t, u)

			load(t, g, getUser, func() {
				eventually(t, "both are called", func() bool { return frozen.Calls() > 0 && other.Calls() > 0 })
				frozen.Freeze(t)
				// More calls than there are workers. load then waits for those that hang, and they must not fail.
				before := other.Calls()
				eventually(t, "the other one is called", func() bool { return other.Calls() > before+40 })
			})
		})
	}
}
