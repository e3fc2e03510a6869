package balance_test

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// asBackend is set in the environment of a process of this test's program that is to be a backend and nothing else.
const asBackend = "PORTICO_TEST_BACKEND"

func TestMain(m *testing.M) {
	if os.Getenv(asBackend) == "" {
		os.Exit(m.Run())
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}

	address := listener.Addr().String()
	_, _ = os.Stdout.WriteString(address + "\n")

	server := grpc.NewServer()
	orderv1.RegisterOrderServiceServer(server, &backend{name: address})
	healthpb.RegisterHealthServer(server, healthgrpc.NewServer())

	if err := server.Serve(listener); err != nil {
		panic(err)
	}
}

// backend is an order service that tells its name, or does what the test says.
type backend struct {
	orderv1.UnimplementedOrderServiceServer

	name  string
	calls atomic.Int64
	get   atomic.Pointer[func(context.Context) error]
	watch func(grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error
}

func (b *backend) GetOrder(ctx context.Context, _ *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	b.calls.Add(1)

	if get := b.get.Load(); get != nil {
		if err := (*get)(ctx); err != nil {
			return nil, err
		}
	}

	return &orderv1.Order{OrderId: b.name}, nil
}

func (b *backend) WatchOrder(
	_ *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse],
) error {
	return b.watch(stream)
}

// does has it answer in this way from now on; nil: with its name.
func (b *backend) does(get func(context.Context) error) {
	if get == nil {
		b.get.Store(nil)
	} else {
		b.get.Store(&get)
	}
}

// answers returns what a backend does that answers the error to everything.
func answers(code codes.Code) func(context.Context) error {
	return func(context.Context) error { return status.Error(code, code.String()) }
}

// serve starts the backend, serving for good, in this process: on a free port, which its name becomes, or where it was before.
func serve(tb testing.TB, b *backend, options ...grpc.ServerOption) *grpc.Server {
	tb.Helper()

	return serveWith(tb, b, healthgrpc.NewServer(), options...)
}

// serveWith starts it with a health service of the test's, or none.
func serveWith(tb testing.TB, b *backend, service healthpb.HealthServer, options ...grpc.ServerOption) *grpc.Server {
	tb.Helper()

	listener, err := net.Listen("tcp", cmp.Or(b.name, "127.0.0.1:0"))
	if err != nil {
		tb.Fatal(err)
	}

	if b.name == "" {
		b.name = listener.Addr().String()
	}

	server := grpc.NewServer(options...)
	orderv1.RegisterOrderServiceServer(server, b)

	if service != nil {
		healthpb.RegisterHealthServer(server, service)
	}

	var wg sync.WaitGroup

	wg.Go(func() { _ = server.Serve(listener) })
	tb.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})

	return server
}

// backends starts some of them in this process.
func backends(tb testing.TB, n int) []*backend {
	tb.Helper()

	list := make([]*backend, n)
	for i := range list {
		list[i] = &backend{}
		serve(tb, list[i])
	}

	return list
}

func addresses(list []*backend) []string {
	names := make([]string, 0, len(list))
	for _, b := range list {
		names = append(names, b.name)
	}

	return names
}

// spawn starts a backend in a process of its own and returns its address.
func spawn(tb testing.TB) (*os.Process, string) {
	tb.Helper()

	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), asBackend+"=1")
	command.Stderr = os.Stderr

	out, err := command.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}

	if err := command.Start(); err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGKILL)
		_ = command.Wait()
	})

	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}

	return command.Process, strings.TrimSpace(line)
}

// send signals the process, and waits until it stands still if that is what it says.
func send(tb testing.TB, process *os.Process, signal syscall.Signal) {
	tb.Helper()

	if err := process.Signal(signal); err != nil {
		tb.Fatal(err)
	}

	if signal != syscall.SIGSTOP {
		return
	}

	var status syscall.WaitStatus
	if _, err := syscall.Wait4(process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		tb.Fatalf("it did not stop: %v", err)
	}
}

// observer keeps the reasons that it is told.
type observer struct {
	mu      sync.Mutex
	reasons []string
}

func (o *observer) ObserveEjection(upstream, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.reasons = append(o.reasons, upstream+" "+reason)
}

func (o *observer) Reasons() []string {
	o.mu.Lock()
	defer o.mu.Unlock()

	return slices.Clone(o.reasons)
}

// retrying makes calls again as the schema of an idempotent method would.
var retrying = []any{map[string]any{
	"name": []any{map[string]any{"service": "order.v1.OrderService"}},
	"retryPolicy": map[string]any{
		"maxAttempts": 3, "initialBackoff": "0.02s", "maxBackoff": "0.2s", "backoffMultiplier": 2,
		"retryableStatusCodes": []string{"UNAVAILABLE"},
	},
}}

// connect makes a connection that balances over the addresses of the group.
func connect(
	tb testing.TB, group *balance.Group, policy string, methods []any, addresses ...string,
) (orderv1.OrderServiceClient, *manual.Resolver) {
	tb.Helper()

	conn, list := open(tb, group, policy, methods, addresses...)
	tb.Cleanup(func() { _ = conn.Close() })

	return orderv1.NewOrderServiceClient(conn), list
}

func open(
	tb testing.TB, group *balance.Group, policy string, methods []any, addresses ...string,
) (*grpc.ClientConn, *manual.Resolver) {
	tb.Helper()

	entry, err := balance.Config(policy)
	if err != nil {
		tb.Fatal(err)
	}

	text, err := json.Marshal(map[string]any{
		"loadBalancingConfig": []any{entry}, "methodConfig": methods, "healthCheckConfig": map[string]any{"serviceName": ""},
	})
	if err != nil {
		tb.Fatal(err)
	}

	list := manual.NewBuilderWithScheme("list")
	list.InitialState(group.Attach(endpoints(addresses...)))

	conn, err := grpc.NewClient("list:///", grpc.WithResolvers(list), grpc.WithDefaultServiceConfig(string(text)),
		grpc.WithTransportCredentials(balance.Track(insecure.NewCredentials())),
		grpc.WithConnectParams(grpc.ConnectParams{MinConnectTimeout: 2 * time.Second}))
	if err != nil {
		tb.Fatal(err)
	}

	return conn, list
}

func endpoints(addresses ...string) resolver.State {
	var state resolver.State
	for _, address := range addresses {
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{Addresses: []resolver.Address{{Addr: address}}})
	}

	return state
}

// call makes a call, with plenty of time, and returns who answered.
func call(tb testing.TB, client orderv1.OrderServiceClient) (string, error) {
	tb.Helper()

	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()

	order, err := client.GetOrder(ctx, &orderv1.GetOrderRequest{})

	return order.GetOrderId(), err
}

// tally makes calls one after the other and counts the answers by address; those that failed have none.
func tally(tb testing.TB, client orderv1.OrderServiceClient, n int) map[string]int {
	tb.Helper()

	count := map[string]int{}

	for range n {
		name, _ := call(tb, client)
		count[name]++
	}

	return count
}

// eventually waits until it holds, and fails after a long time.
func eventually(tb testing.TB, what string, holds func() bool) {
	tb.Helper()

	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if holds() {
			return
		}
	}

	tb.Fatalf("still not: %s", what)
}

// states are those of the group by address.
func states(group *balance.Group) map[string]string {
	by := map[string]string{}
	for _, a := range group.Addresses() {
		by[a.Address] = a.State
	}

	return by
}

// allReady waits until all of them are ready and calls have reached each. An address is ready a moment before the policy chooses
// it.
func allReady(tb testing.TB, group *balance.Group, client orderv1.OrderServiceClient, addresses ...string) {
	tb.Helper()

	answered := map[string]bool{}

	eventually(tb, "all addresses are ready and answer", func() bool {
		name, _ := call(tb, client)
		answered[name] = true
		now := states(group)

		return !slices.ContainsFunc(addresses, func(a string) bool { return now[a] != "ready" || !answered[a] })
	})
}

func codeOf(err error) codes.Code { return status.Code(err) }

// settings are those of an upstream, with the defaults of what is not set.
func settings(u config.Upstream) balance.Settings {
	u = u.WithDefaults()

	return balance.Settings{Probe: u.Probe, Ejection: u.Ejection}
}
