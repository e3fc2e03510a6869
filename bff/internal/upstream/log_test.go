package upstream_test

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/nameserver"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// lines are what was logged. They are safe for concurrent use.
type lines struct {
	// more has room for one.
	more chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	select {
	case l.more <- struct{}{}:
	default:
	}

	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.String()
}

// count returns how many lines have a part.
func (l *lines) count(part string) int {
	return strings.Count(l.String(), part)
}

func (l *lines) await(tb testing.TB, part string) {
	tb.Helper()

	late := time.After(time.Minute)

	for l.count(part) == 0 {
		select {
		case <-l.more:
		case <-late:
			tb.Fatalf("%q was not logged", part)
		}
	}
}

// Once, a backend without a health service was an error of gRPC for each connection, which did not name the upstream, and one that
// was gone a warning for each attempt to connect.
func TestWhatHappensToConnectionsIsLoggedOnce(t *testing.T) {
	t.Parallel()

	const (
		noHealth = "level=INFO msg=\"the backend has no health service (grpc.health.v1): its addresses count as healthy while they reply\"" +
			" upstream=order\n"
		gone = "level=WARN msg=\"the backend cannot be reached\" upstream=order address="
		back = "level=INFO msg=\"the backend can be reached again\" upstream=order address="
	)

	log := &lines{more: make(chan struct{}, 1)}
	server, address := listen(t, "tcp", "127.0.0.1:0", named("a"))
	pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{address, start(t, named("b"))}, Breaker: patient, Probe: config.Probe{Interval: time.Millisecond}}}, upstream.Deps{Logger: slog.New(slog.NewTextHandler(log, nil)), Observer: &observer{}})
	orders := client(t, pool)

	get := func() {
		t.Helper()

		if _, err := orders.GetOrder(t.Context(), &orderv1.GetOrderRequest{}, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
	}

	get()
	log.await(t, noHealth)

	server.Stop()
	log.await(t, gone+address)
	get()

	listen(t, "tcp", address, named("a"))
	log.await(t, back+address)

	for part, want := range map[string]int{noHealth: 1, gone: 1, back: 1, "rpc error": 0} {
		if got := log.count(part); got != want {
			t.Errorf("%q was logged %d times, want %d", part, got, want)
		}
	}
}

// A backend whose TLS is not that of the configuration is tried again and again, and has one line.
func TestBackendThatRefusesTLSIsLoggedOnce(t *testing.T) {
	t.Parallel()

	const refused = "level=WARN msg=\"the backend cannot be reached\" upstream=order address="

	log := &lines{more: make(chan struct{}, 1)}
	address := start(t, named("a"))
	pool := open(t, upstream.Config{
		Upstream:  config.Upstream{Addresses: []string{address}, Breaker: patient},
		Transport: func() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS13} },
	}, upstream.Deps{Logger: slog.New(slog.NewTextHandler(log, nil)), Observer: &observer{}})
	orders := client(t, pool)

	for range 5 {
		if _, err := orders.GetOrder(t.Context(), &orderv1.GetOrderRequest{}); err == nil {
			t.Fatal("it was called")
		}

		log.await(t, refused+address)

		// Not to wait for the backoff.
		conn, err := pool.Conn("order")
		if err != nil {
			t.Fatal(err)
		}

		conn.ResetConnectBackoff()
	}

	if got := log.count(refused); got != 1 || log.count("tls: ") != 1 {
		t.Errorf("%d lines: %s", got, log)
	}
}

func TestNameThatCannotBeResolvedIsLoggedOnce(t *testing.T) {
	t.Parallel()

	const (
		unresolved = "level=WARN msg=\"the name of the backend cannot be resolved\" upstream=order error="
		resolved   = "level=INFO msg=\"the name of the backend can be resolved again\" upstream=order\n"
	)

	log := &lines{more: make(chan struct{}, 1)}
	names := nameserver.Start(t, "127.0.0.1")
	_, port, _ := net.SplitHostPort(start(t, named("a")))
	pool := open(t, dnsTarget(names, port, 20*time.Millisecond), upstream.Deps{Logger: slog.New(slog.NewTextHandler(log, nil)), Observer: &observer{}})

	becomes(t, client(t, pool), "a")
	names.Set()
	log.await(t, unresolved)

	before := names.Queries()
	eventually(t, "more lookups", func() bool { return names.Queries() > before+5 })

	names.Set("127.0.0.1")
	log.await(t, resolved)

	for _, part := range []string{unresolved, resolved} {
		if got := log.count(part); got != 1 {
			t.Errorf("%q was logged %d times", part, got)
		}
	}
}
