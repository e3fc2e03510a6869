package edge_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// onceOnly is a body that cannot be sent again, so that no transport repeats a request behind the test's back.
type onceOnly struct{ io.Reader }

// balancer sends to gateways that are ready, in turn, as one that asks them now and then.
type balancer struct {
	gateways []*running
	ready    []atomic.Bool
	next     atomic.Int64
}

func startBalancer(t *testing.T, gateways ...*running) *balancer {
	t.Helper()

	b := &balancer{gateways: gateways, ready: make([]atomic.Bool, len(gateways))}
	ask := func(i int) { b.ready[i].Store(gateways[i].ready() == http.StatusOK) }
	ctx, cancel := context.WithCancel(t.Context())

	var wait sync.WaitGroup

	for i := range gateways {
		ask(i)
		wait.Go(func() {
			for ctx.Err() == nil {
				ask(i)
				time.Sleep(10 * time.Millisecond)
			}
		})
	}

	t.Cleanup(func() {
		cancel()
		wait.Wait()
	})

	return b
}

// ready is the status of /readyz; 0 if nobody answers.
func (r *running) ready() int {
	res, err := http.Get("http://" + r.admin + "/readyz")
	if err != nil {
		return 0
	}
	defer res.Body.Close()

	return res.StatusCode
}

func (b *balancer) pick() *running {
	for {
		i := int(b.next.Add(1)) % len(b.gateways)
		if b.ready[i].Load() {
			return b.gateways[i]
		}
	}
}

// load are clients that send until they are told to stop, and keep their connections.
type load struct {
	sent, failed atomic.Int64
	wait         sync.WaitGroup
	enough       chan struct{}
}

// startLoad starts clients of both versions. They write, since some transports repeat what only reads.
func startLoad(t *testing.T, clients int, pick func() *running) *load {
	t.Helper()

	l := &load{enough: make(chan struct{})}

	for i := range clients {
		major := 1 + i%2
		client := clientOf(t, major)

		l.wait.Go(func() {
			for {
				select {
				case <-l.enough:
					return
				default:
				}

				// HTTP/2 tells a client which of its requests it may send again elsewhere, so that one may.
				var body io.Reader = bytes.NewReader([]byte(`{}`))
				if major == 1 {
					body = onceOnly{body}
				}

				l.sent.Add(1)
				time.Sleep(time.Millisecond)

				if err := answeredOK(client.Post(pick().url("/v1/every"), "application/json", body)); err != nil {
					l.failed.Add(1)
					t.Errorf("over HTTP/%d: %v", major, err)
				}
			}
		})
	}

	return l
}

func (l *load) stop() {
	close(l.enough)
	l.wait.Wait()
}

// One of two gateways is replaced, and nobody notices.
func TestRollingRestartFailsNoRequest(t *testing.T) {
	t.Parallel()

	start := func() *running {
		return runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Server.DrainDelay = 5 * time.Second })
	}

	leaving := start()
	b := startBalancer(t, start(), leaving)
	l := startLoad(t, 8, b.pick)

	gatewaytest.Eventually(t, "a steady load", func() bool { return l.sent.Load() > 200 })

	leaving.stop()

	select {
	case <-leaving.ended:
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}

	before := l.sent.Load()
	gatewaytest.Eventually(t, "the other one going on", func() bool { return l.sent.Load() > before+100 })
	l.stop()

	if leaving.err != nil {
		t.Error(leaving.err)
	}

	t.Logf("%d requests, %d failed", l.sent.Load(), l.failed.Load())
}

// Everything that is accepted is answered, also by a gateway that clients go on calling, and operators can watch until then.
func TestDrainAnswersWhatItAccepted(t *testing.T) {
	t.Parallel()

	l := make(listening, 1)
	s := gatewaytest.Start(t, onLoopback(func(c *config.Config) {
		c.Auth = config.Auth{Disabled: true}
		c.Server.DrainDelay = 5 * time.Second

		gatewaytest.SetPolicy(c, "*", gatewaytest.Object{"timeout": "120s"})
	}), l.option())
	s.Hold = make(chan struct{})
	r := run(t, s, l)

	const clients = 6

	answers := make(chan error)
	send := func() {
		for i := range clients {
			client := clientOf(t, 1+i%2)

			go func() { answers <- fetch(client, r.url("/v1/users/alice"), nil) }()
		}
	}

	send()
	gatewaytest.Eventually(t, "requests before", func() bool { return s.Count() == clients })
	r.stop()
	gatewaytest.Eventually(t, "its readiness failing", func() bool { return r.ready() == http.StatusServiceUnavailable })
	send()
	gatewaytest.Eventually(t, "requests meanwhile", func() bool { return s.Count() == 2*clients })

	gatewaytest.Eventually(t, "connections being refused", func() bool {
		conn, err := net.Dial("tcp", r.address)
		if err == nil {
			_ = conn.Close()
		}

		return err != nil
	})

	select {
	case <-r.ended:
		t.Fatal("it ended with requests under way")
	default:
	}

	if got := r.ready(); got != http.StatusServiceUnavailable {
		t.Errorf("with requests under way, operators get %d", got)
	}

	close(s.Hold)

	for range 2 * clients {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}

	<-r.ended

	if got := r.ready(); got != 0 {
		t.Errorf("in the end, operators get %d", got)
	}
}

// Clients that keep their connections are asked to close them, and until then they are served.
func TestDrainClosesConnectionsByTheirAnswers(t *testing.T) {
	t.Parallel()

	r := runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Server.DrainDelay = 8 * time.Second })

	old, old2 := clientOf(t, 1), dialHTTP2(t, r)
	if err := fetch(old, r.url("/v1/every"), nil); err != nil {
		t.Fatal(err)
	}

	r.stop()
	gatewaytest.Eventually(t, "its readiness failing", func() bool { return r.ready() == http.StatusServiceUnavailable })

	for _, path := range []string{"/v1/every", "/nowhere"} {
		for _, client := range []*http.Client{old, clientOf(t, 1)} {
			res, err := client.Get(r.url(path))
			if err != nil {
				t.Fatal(err)
			}

			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()

			if !res.Close {
				t.Errorf("%s: %s keeps the connection", path, res.Status)
			}
		}
	}

	old2.open("/v1/every", nil)

	select {
	case <-old2.goAway:
	case <-time.After(time.Minute):
		t.Error("HTTP/2 is not told to go away")
	}
}

// A connection on which the first request is still under way is accepted as well. Once, net/http read such a request during its
// shutdown, and dropped it.
func TestDrainWaitsForFirstRequests(t *testing.T) {
	t.Parallel()

	r := runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Server.DrainDelay = time.Millisecond })
	conn := r.dial(t)

	// It was accepted before one that came later.
	if err := fetch(clientOf(t, 1), r.url("/v1/every"), nil); err != nil {
		t.Fatal(err)
	}

	r.stop()
	gatewaytest.Eventually(t, "its readiness failing", func() bool { return r.ready() == http.StatusServiceUnavailable })
	time.Sleep(50 * time.Millisecond)

	_, _ = io.WriteString(conn, ask)

	if text, _ := rest(conn); len(text) < 12 || text[:12] != "HTTP/1.1 200" {
		t.Errorf("answered %q", text)
	}
}
