package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Once, a client that held its body back until no time was left opened the breaker for everybody.
func TestSlowBodiesDoNotOpenTheBreaker(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) {
		// Long enough for a machine that is busy: the gateway's clock starts when it reads the request.
		c.Policies = []config.Policy{{Selector: "order.v1.OrderService.CreateOrder", Set: map[string]any{"timeout": "6s"}}}
	})
	s.Hold = make(chan struct{})

	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}

	answers := make(chan string)

	for i := range 12 {
		header := s.As(t, fmt.Sprintf("slow-%d", i)).Get("Authorization")

		go func() {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
			if err != nil {
				answers <- err.Error()

				return
			}
			defer conn.Close()

			// More than half of the route's six seconds pass before the body is complete.
			_, _ = fmt.Fprintf(conn, "POST /v1/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\n"+
				"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n{", header, len(gatewaytest.AnOrder))
			<-time.After(4500 * time.Millisecond)
			_, _ = io.WriteString(conn, gatewaytest.AnOrder[1:])

			text, _ := io.ReadAll(conn)
			answers <- strings.SplitN(string(text), "\r\n", 2)[0]
		}()
	}

	for range 12 {
		if got := <-answers; got != "HTTP/1.1 504 Gateway Timeout" {
			t.Errorf("a slow client got %q", got)
		}
	}

	close(s.Hold)

	if res := s.Do(t, http.MethodGet, "/v1/users/alice/orders", s.As(t, "alice"), ""); res.Status != http.StatusOK {
		t.Errorf("afterwards: %d %s", res.Status, res.Body)
	}
}

// Once, a refused request that never sent its body held its connection for good, and with it a graceful stop.
func TestRefusedRequestsDoNotHoldConnections(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) { c.Server.RequestTimeout = 200 * time.Millisecond })

	for _, request := range []string{
		"POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
		"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
		"PUT /v1/users/alice HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}

		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		_, _ = io.WriteString(conn, request)
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))

		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("%q: %v", request, err)
		}
	}
}

// Once, a stream that was opened while the gateway drained was told that the client had hung up.
func TestStreamsOpenedWhileDrainingAreSentElsewhere(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	s.Gateway.Drain()

	res := s.Do(t, http.MethodGet, "/v1/shelves/endless/books", s.As(t, "alice"), "")
	if doc := res.Problem(t); res.Status != http.StatusServiceUnavailable || doc["code"] != "UNAVAILABLE" {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// Once, the context of a program's start ended the streams of a gateway that was still ready.
func TestGatewayOutlivesTheContextOfItsStart(t *testing.T) {
	t.Parallel()

	b := gatewaytest.StartBackend(t)
	ctx, cancel := context.WithCancel(t.Context())

	gw, err := gatewaytest.New(ctx, t, config.Config{
		Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{b.Address}}},
	}, gatewaytest.WithShelf(), gatewaytest.Quiet())
	if err != nil {
		t.Fatal(err)
	}

	cancel()

	s := &gatewaytest.Site{Backend: b, Gateway: gw, URL: gatewaytest.Listen(t, gw)}
	if res := s.Do(t, http.MethodGet, "/v1/shelves/s/books", nil, ""); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// Once, HEAD on a stream held a connection and a backend's stream for minutes.
func TestHeadDoesNotHoldStreams(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	res := s.Do(t, http.MethodHead, "/v1/shelves/endless/books", s.As(t, "alice"), "")
	if res.Status != http.StatusOK || res.Header.Get("Content-Type") != "application/x-ndjson" || res.Body != "" {
		t.Errorf("%d %v %q", res.Status, res.Header, res.Body)
	}
}

// Once, gRPC's own refusal of a large answer reached the client as a rate limit.
func TestTransportErrorsAreOurFault(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	maps.Copy(s.Fail, map[string]error{
		"/user.v1.UserService/GetUser":          status.Error(codes.ResourceExhausted, "grpc: received message larger than max (5 vs. 4)"),
		"/profile.v1.ProfileService/GetProfile": status.Error(codes.PermissionDenied, "unexpected HTTP status code received from server: 403"),
	})

	for _, path := range []string{"/v1/users/alice", "/v1/users/alice/profile"} {
		res := s.Do(t, http.MethodGet, path, s.As(t, "alice"), "")
		if res.Status != http.StatusInternalServerError || strings.Contains(res.Body, "larger") || strings.Contains(res.Body, "HTTP status") {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}
	}
}

// Once, a bad number of a megabyte was in the log at full length.
func TestClientsDoNotFillTheLog(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	s.Do(t, http.MethodPost, "/v1/orders", s.As(t, "alice"), `{"items":[{"quantity":`+strings.Repeat("9", 1<<19)+`}]}`)
	s.Do(t, strings.Repeat("A", 8000), "/v1/orders", nil, "")
	gatewaytest.Eventually(t, "two log lines", func() bool { return strings.Count(s.Logs.String(), `"msg":"request"`) == 2 })

	if got := len(s.Logs.String()); got > 20_000 {
		t.Errorf("two requests wrote %d bytes of log", got)
	}
}

// Once, "**" let dot segments and backslashes through, escaped once more.
func TestDeepVariablesAreSound(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	for _, value := range []string{"..%2F..%2Fetc", "a/%2e%2e%2fb", "a%255c", "a%5cb", "a/../b", "a/%2e/b", "a%2500"} {
		if res := s.Do(t, http.MethodGet, "/v1/echo/"+value, s.As(t, "alice"), ""); res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", value, res.Status, res.Body)
		}
	}

	if calls := s.TakeCalls(); len(calls) > 0 {
		t.Errorf("reached %v", gatewaytest.RPCs(calls))
	}

	if res := s.Do(t, http.MethodGet, "/v1/echo/a/b%20c/d%2Fe", s.As(t, "alice"), ""); !strings.Contains(res.Body, `"a/b c/d%2Fe"`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// Nothing listens once Run has returned.
func TestRunEndsBothListeners(t *testing.T) {
	t.Parallel()

	listening := make(chan [2]net.Addr, 1)

	gw, err := gatewaytest.New(t.Context(), t, config.Config{
		Server: config.Server{Address: "127.0.0.1:0", DrainDelay: time.Millisecond},
		Admin:  config.Admin{Address: "127.0.0.1:0"}, Health: config.Health{Address: config.HealthOff}, Auth: config.Auth{Disabled: true},
	}, gatewaytest.Quiet(), bff.WithListening(func(server, admin net.Addr) { listening <- [2]net.Addr{server, admin} }))
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	go func() { ended <- gw.Run(ctx) }()

	addrs := <-listening

	stop()

	if err := <-ended; err != nil {
		t.Error(err)
	}

	for _, addr := range addrs {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr.String())
		if err == nil {
			err = errors.Join(errors.New("still listening"), conn.Close())
			t.Errorf("%s: %v", addr, err)
		}
	}
}
