package edge_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// running is a gateway behind the listeners of Run.
type running struct {
	address, admin string
	stop           func()
	ended          chan struct{}
	err            error
}

// onLoopback lets Run listen on free ports and stop without a delay, and tests send as much as they like.
func onLoopback(change func(*config.Config)) func(*config.Config) {
	return func(c *config.Config) {
		c.Server.Address, c.Admin.Address, c.Health.Address = "127.0.0.1:0", "127.0.0.1:0", config.HealthOff
		c.Server.DrainDelay = time.Millisecond
		// All clients have the same address.
		c.Limits.Client = config.Rate{Requests: 1e6, Per: time.Second, Burst: 1e6}

		if change != nil {
			change(c)
		}
	}
}

// listening is told where Run listens.
type listening chan [2]net.Addr

func (l listening) option() bff.Option {
	return bff.WithListening(func(server, admin net.Addr) { l <- [2]net.Addr{server, admin} })
}

// run runs the gateway of a site until the end of the test, or until it is stopped.
func run(t *testing.T, s *gatewaytest.Site, l listening) *running {
	t.Helper()

	ctx, stop := context.WithCancel(t.Context())
	r := &running{stop: stop, ended: make(chan struct{})}

	go func() {
		defer close(r.ended)

		r.err = s.Gateway.Run(ctx)
	}()

	addrs := <-l
	r.address, r.admin = addrs[0].String(), addrs[1].String()

	t.Cleanup(func() {
		stop()
		<-r.ended

		if r.err != nil {
			t.Error(r.err)
		}
	})

	return r
}

// runMirror runs a gateway before a mirror.
func runMirror(t *testing.T, m gatewaytest.Mirror, change func(*config.Config)) *running {
	t.Helper()

	l := make(listening, 1)

	return run(t, gatewaytest.StartMirrorOf(t, m, onLoopback(change), nil, l.option()), l)
}

func (r *running) url(path string) string { return "http://" + r.address + path }

// dial opens a connection that the end of the test closes, and that cannot hold it up for ever.
func (r *running) dial(t *testing.T) net.Conn {
	t.Helper()

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = conn.Close() })

	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	return conn
}

// rest reads until the server ends the connection, and returns what came and how long it took. A reset is an end too.
func rest(conn net.Conn) (string, time.Duration) {
	start := time.Now()
	text, _ := io.ReadAll(conn)

	return string(text), time.Since(start)
}

// clientOf returns a client with connections of its own, over HTTP/1.1 or, knowing beforehand, over HTTP/2.
func clientOf(t *testing.T, major int) *http.Client {
	t.Helper()

	var protocols http.Protocols

	protocols.SetHTTP1(major == 1)
	protocols.SetUnencryptedHTTP2(major == 2)

	transport := &http.Transport{Protocols: &protocols, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)

	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// fetch tells how a request ended.
func fetch(client *http.Client, url string, header http.Header) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}

	req.Header = header

	return answeredOK(client.Do(req))
}

func answeredOK(res *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()

	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s", res.Status, text)
	}

	return err
}

// drip sends a byte now and then, for ever, until the connection is closed.
func drip(conn net.Conn, text string) {
	go func() {
		for i := 0; ; i++ {
			if _, err := conn.Write([]byte{text[i%len(text)]}); err != nil {
				return
			}

			time.Sleep(20 * time.Millisecond)
		}
	}()
}

const ask = "GET /v1/every HTTP/1.1\r\nHost: x\r\n\r\n"

// within checks that something took as long as it should; busy machines may be late, but not early.
func within(t *testing.T, what string, took, want time.Duration) {
	t.Helper()

	if took < want/2 || took > want+20*time.Second {
		t.Errorf("%s took %s, not about %s", what, took, want)
	}
}

func TestSlowHeadersAreCutOff(t *testing.T) {
	t.Parallel()

	const timeout = 500 * time.Millisecond

	r := runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Server.ReadHeaderTimeout = timeout })

	for name, before := range map[string]string{"first_request": "", "second_request": ask, "preface_of_http2": "PRI * HTT"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			var wait sync.WaitGroup
			for range 20 {
				conn := r.dial(t)
				_, _ = io.WriteString(conn, before)

				wait.Go(func() {
					drip(conn, "GET")

					_, took := rest(conn)
					within(t, "sending a header", took, timeout)
				})
			}

			if err := fetch(clientOf(t, 1), r.url("/v1/every"), nil); err != nil {
				t.Errorf("meanwhile: %v", err)
			}

			wait.Wait()
		})
	}
}

func TestSlowBodiesEndWithTheRoute(t *testing.T) {
	t.Parallel()

	const timeout = 500 * time.Millisecond

	r := runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Server.RequestTimeout = timeout })

	t.Run("HTTP/1.1", func(t *testing.T) {
		t.Parallel()

		conn := r.dial(t)
		_, _ = io.WriteString(conn, "POST /v1/every HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n")

		drip(conn, " ")

		text, took := rest(conn)
		within(t, "sending a body", took, timeout)

		if !strings.HasPrefix(text, "HTTP/1.1 504 ") {
			t.Errorf("answered %q", text)
		}
	})

	t.Run("HTTP/2", func(t *testing.T) {
		t.Parallel()

		body, slow := net.Pipe()
		defer body.Close()

		drip(slow, " ")

		start := time.Now()

		res, err := clientOf(t, 2).Post(r.url("/v1/every"), "application/json", body)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()

		if within(t, "sending a body", time.Since(start), timeout); res.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("answered %s", res.Status)
		}
	})
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()

	const timeout = 500 * time.Millisecond

	r := runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Server.IdleTimeout = timeout })

	t.Run("HTTP/1.1", func(t *testing.T) {
		t.Parallel()

		conn := r.dial(t)
		_, _ = io.WriteString(conn, ask)

		text, took := rest(conn)
		within(t, "being idle", took, timeout)

		if !strings.HasPrefix(text, "HTTP/1.1 200 ") {
			t.Errorf("answered %q", text)
		}
	})

	t.Run("HTTP/2", func(t *testing.T) {
		t.Parallel()

		c := dialHTTP2(t, r)
		start := time.Now()

		<-c.gone
		within(t, "being idle", time.Since(start), timeout)
	})
}

// A client that does not read its answer holds a request, a call to a backend and memory.
func TestClientsThatDoNotReadAreCutOff(t *testing.T) {
	t.Parallel()

	r := runMirror(t, gatewaytest.Mirror{}, func(c *config.Config) { c.Server.RequestTimeout = 500 * time.Millisecond })

	const file = "/v1/files/100000000"

	held := r.dial(t)
	_, _ = io.WriteString(held, "GET "+file+" HTTP/1.1\r\nHost: x\r\n\r\n")

	// It lets the server write as much as it likes, and reads nothing of that.
	conn := r.dial(t)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	c := newHTTP2(conn)
	_ = c.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1<<31 - 1})
	_ = c.framer.WriteSettingsAck()
	_ = c.framer.WriteWindowUpdate(0, 1<<31-1-65535)
	c.open(file, nil)

	inFlight := func() string {
		res, err := http.Get("http://" + r.admin + "/metrics")
		if err != nil {
			return err.Error()
		}
		defer res.Body.Close()

		text, _ := io.ReadAll(res.Body)
		_, after, _ := strings.Cut(string(text), "\nportico_http_requests_in_flight ")
		count, _, _ := strings.Cut(after, "\n")

		return count
	}

	gatewaytest.Eventually(t, "both being answered", func() bool { return inFlight() == "2" })

	start := time.Now()
	for inFlight() != "0" {
		if time.Sleep(100 * time.Millisecond); time.Since(start) > 50*time.Second {
			t.Fatalf("%s are still being answered", inFlight())
		}
	}
}

// Those who came first do not hold all places: the silent ones make room, and the others are told to.
func TestConnectionsAreLimited(t *testing.T) {
	t.Parallel()

	const most = 10

	release := make(chan struct{})
	r := runMirror(t, gatewaytest.Mirror{Release: release}, func(c *config.Config) { c.Server.MaxConnections = most })

	for range most {
		r.dial(t)
	}

	time.Sleep(1500 * time.Millisecond)

	var busy []net.Conn

	for range most {
		conn := r.dial(t)
		busy = append(busy, conn)
		// It is answered at once, and ends when it is released.
		_, _ = io.WriteString(conn, "GET /v1/count?int32Field=1&stringField=hang HTTP/1.1\r\nHost: x\r\n\r\n")

		head := make([]byte, 300)
		if n, err := io.ReadAtLeast(conn, head, 100); err != nil || !strings.Contains(string(head[:n]), "\r\nConnection: close\r\n") {
			t.Fatalf("%q %v", head[:n], err)
		}
	}

	// All are busy, so there is no room, which a client learns at once.
	if text, took := rest(r.dial(t)); text != "" || took > 20*time.Second {
		t.Errorf("%q after %s", text, took)
	}

	close(release)

	for _, conn := range busy {
		_, _ = rest(conn)
	}

	gatewaytest.Eventually(t, "there being room again", func() bool { return fetch(clientOf(t, 1), r.url("/v1/every"), nil) == nil })
}

// What is too much is refused at once, before anything is called, and what is under way goes on.
func TestRequestsUnderWayAreLimited(t *testing.T) {
	t.Parallel()

	const (
		most, normal, more = 20, 19, 40 // The rest is for critical methods.
		path               = "/v1/rooms/1/shelves/2"
	)

	s := gatewaytest.Start(t, func(c *config.Config) {
		c.Overload.MaxInFlight = most
		c.Server.RequestTimeout = time.Minute
	})
	s.Hold = make(chan struct{})

	header, answers := s.As(t, "alice"), make(chan gatewaytest.Response, normal)
	for range normal {
		go func() { answers <- s.Do(t, http.MethodGet, path, header, "") }()
	}

	gatewaytest.Eventually(t, "all places being taken", func() bool { return s.Count() == normal })

	for range more {
		start := time.Now()

		res := s.Do(t, http.MethodGet, path, header, "")
		if doc := res.Problem(t); res.Status != http.StatusServiceUnavailable || doc["code"] != "UNAVAILABLE" ||
			res.Header.Get("Retry-After") != "1" || time.Since(start) > 20*time.Second {
			t.Fatalf("after %s: %d %v %s", time.Since(start), res.Status, res.Header, res.Body)
		}
	}

	if got := s.Count(); got != normal {
		t.Errorf("the backend was called %d times", got)
	}

	close(s.Hold)

	for range normal {
		if res := <-answers; res.Status != http.StatusOK {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}

	if res := s.Do(t, http.MethodGet, path, header, ""); res.Status != http.StatusOK {
		t.Errorf("once there is room: %d %s", res.Status, res.Body)
	}
}
