package balance_test

import (
	"bytes"
	"log/slog"
	"net"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	healthgrpc "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
)

// log is what a group has logged. It is safe for concurrent use.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return l.text.Write(p)
}

// about returns the messages about an address in short: their levels and texts, without those that say nothing new here.
func (l *log) about(address string) string {
	l.mu.Lock()
	defer l.mu.Unlock()

	var found []string

	for _, line := range regexp.MustCompile(`level=(\S+) msg="([^"]*)" upstream=order address=(\S+)( reason=\S+)?`).FindAllStringSubmatch(l.text.String(), -1) {
		if line[3] == address {
			found = append(found, line[1]+" "+line[2]+line[4])
		}
	}

	return strings.Join(found, "\n")
}

// logging returns a group with a log.
func logging(u config.Upstream) (*balance.Group, *log) {
	l := &log{}
	s := settings(u)
	s.Logger = slog.New(slog.NewTextHandler(l, nil))

	return balance.NewGroup("order", s, nil), l
}

func wantLog(tb testing.TB, l *log, address, want string) {
	tb.Helper()
	eventually(tb, "the log of the address", func() bool { return l.about(address) == want })

	if got := l.about(address); got != want {
		tb.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

const (
	unreachable = "WARN the backend cannot be reached"
	reachable   = "INFO the backend can be reached again"
	silent      = "WARN the backend does not respond"
)

// A backend that is away for long has a line at the beginning and one at the end, however often it is tried.
func TestStoppedProcessIsLoggedOnce(t *testing.T) {
	t.Parallel()

	group, l := logging(config.Upstream{})
	victim, address := spawn(t)
	_, second := spawn(t)
	client, _ := connect(t, group, config.RoundRobin, retrying, address, second)
	allReady(t, group, client, address, second)

	calls := drive(t, client)
	calls.settle(t)
	send(t, victim, syscall.SIGSTOP)
	eventually(t, "the address is out", func() bool { return states(group)[address] == "unresponsive" })
	// Calls go on, and so do attempts to connect.
	calls.settle(t)
	calls.settle(t)
	wantLog(t, l, address, silent)
	comesBack(t, group, victim, address, calls)
	calls.stop()
	wantLog(t, l, address, silent+"\n"+reachable)
}

func TestBackendThatIsNotServingIsLoggedOnce(t *testing.T) {
	t.Parallel()

	group, l := logging(config.Upstream{})
	health := healthgrpc.NewServer()
	first, second := &backend{}, &backend{}
	serveWith(t, first, health)
	serve(t, second)

	client, _ := connect(t, group, config.RoundRobin, nil, first.name, second.name)
	allReady(t, group, client, first.name, second.name)

	for range 3 {
		health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
		health.SetServingStatus("", healthpb.HealthCheckResponse_UNKNOWN)
	}

	wantLog(t, l, first.name, "WARN the backend is not serving")
	health.SetServingStatus("", healthpb.HealthCheckResponse_SERVING)
	wantLog(t, l, first.name, "WARN the backend is not serving\nINFO the backend is serving again")
}

func TestEjectionIsLogged(t *testing.T) {
	t.Parallel()

	group, l := logging(config.Upstream{Ejection: config.Ejection{Time: 500 * time.Millisecond}})
	list := backends(t, 2)
	client, _ := connect(t, group, config.RoundRobin, nil, addresses(list)...)
	allReady(t, group, client, addresses(list)...)

	list[0].does(answers(codes.Unavailable))
	eventually(t, "the address is left out", func() bool {
		_, _ = call(t, client)

		return states(group)[list[0].name] == "ejected"
	})
	list[0].does(nil)
	wantLog(t, l, list[0].name, "WARN the backend is left out for a while reason=failures\nINFO the backend gets calls again")
}

// What accepts connections and closes them, such as a proxy without a backend, is one that cannot be reached.
func TestConnectionsThatAreClosedAreLoggedOnce(t *testing.T) {
	t.Parallel()

	group, l := logging(config.Upstream{})

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	tries := make(chan struct{}, 100)

	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}

			_ = conn.Close()

			tries <- struct{}{}
		}
	}()

	t.Cleanup(func() { _ = listener.Close() })

	address := listener.Addr().String()
	client, _ := connect(t, group, config.RoundRobin, nil, address)

	for range 3 {
		_, _ = call(t, client)

		<-tries
	}

	wantLog(t, l, address, unreachable)
}
