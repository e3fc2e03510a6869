package upstream_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// backend is an order service that does what the test says.
type backend struct {
	orderv1.UnimplementedOrderServiceServer

	get   func(ctx context.Context) (*orderv1.Order, error)
	watch func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error
}

func (b backend) GetOrder(ctx context.Context, _ *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return b.get(ctx)
}

func (b backend) WatchOrder(
	_ *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse],
) error {
	return b.watch(stream)
}

// named answers with its name at once.
func named(name string) backend {
	return backend{get: func(context.Context) (*orderv1.Order, error) { return &orderv1.Order{OrderId: name}, nil }}
}

// listen serves the backend on an address, "127.0.0.1:0" for a free one, until the test ends. The functions register more services.
func listen(tb testing.TB, network, address string, b backend, register ...func(*grpc.Server)) (*grpc.Server, string) {
	tb.Helper()

	listener, err := net.Listen(network, address)
	if err != nil {
		tb.Fatal(err)
	}

	server := grpc.NewServer()
	orderv1.RegisterOrderServiceServer(server, b)

	for _, register := range register {
		register(server)
	}

	var wg sync.WaitGroup

	wg.Go(func() {
		if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			tb.Errorf("serve: %v", err)
		}
	})
	tb.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})

	return server, listener.Addr().String()
}

// start serves the backend on a free port.
func start(tb testing.TB, b backend) string {
	tb.Helper()

	_, address := listen(tb, "tcp", "127.0.0.1:0", b)

	return address
}

// patient is a breaker that these tests do not want to see open.
var patient = config.Breaker{FailureRatio: 1, MinRequests: 1 << 20, Window: time.Hour, OpenFor: time.Hour}

// open makes a pool with the upstream "order", with the defaults of what is not set.
func open(tb testing.TB, cfg upstream.Config, deps upstream.Deps) *upstream.Pool {
	tb.Helper()

	cfg.Upstream = cfg.WithDefaults()

	pool, err := upstream.Open(map[string]upstream.Config{"order": cfg}, deps)
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() {
		if err := pool.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})

	return pool
}

func client(tb testing.TB, pool *upstream.Pool) orderv1.OrderServiceClient {
	tb.Helper()

	conn, err := pool.Conn("order")
	if err != nil {
		tb.Fatal(err)
	}

	return orderv1.NewOrderServiceClient(conn)
}

// sample is one observed call.
type sample struct {
	Upstream, RPC string
	Code          codes.Code
}

// observer keeps what it is told.
type observer struct {
	mu      sync.Mutex
	calls   []sample
	results []upstream.CallResult
	refused []reqinfo.Reason
	states  []breaker.State
	// methods are the last states of the breakers of methods.
	methods map[string]breaker.State
}

func (o *observer) ObserveCall(call upstream.CallResult) {
	o.mu.Lock()
	defer o.mu.Unlock()

	if call.Took < 0 {
		call.Code = codes.Code(99)
	}

	o.calls = append(o.calls, sample{call.Upstream, call.RPC, call.Code})
	o.results = append(o.results, call)
}

func (o *observer) ObserveRefusedCall(_, _ string, reason reqinfo.Reason) {
	o.mu.Lock()
	defer o.mu.Unlock()

	o.refused = append(o.refused, reason)
}

// Results are the calls as they were observed, without how long they took.
func (o *observer) Results() []upstream.CallResult {
	o.mu.Lock()
	defer o.mu.Unlock()

	results := slices.Clone(o.results)
	for i := range results {
		results[i].Took = 0
	}

	return results
}

// Refused are the reasons of refused calls.
func (o *observer) Refused() []reqinfo.Reason {
	o.mu.Lock()
	defer o.mu.Unlock()

	return slices.Clone(o.refused)
}

func (o *observer) ObserveBreaker(_, rpc string, state breaker.State) {
	o.mu.Lock()
	defer o.mu.Unlock()

	if rpc == "" {
		o.states = append(o.states, state)

		return
	}

	if o.methods == nil {
		o.methods = map[string]breaker.State{}
	}

	o.methods[rpc] = state
}

func (*observer) ObserveEjection(string, string) {}

// Method is the state of the breaker of a method.
func (o *observer) Method(rpc string) breaker.State {
	o.mu.Lock()
	defer o.mu.Unlock()

	return o.methods[rpc]
}

func (o *observer) Calls() []sample {
	o.mu.Lock()
	defer o.mu.Unlock()

	return slices.Clone(o.calls)
}

func (o *observer) States() []breaker.State {
	o.mu.Lock()
	defer o.mu.Unlock()

	return slices.Clone(o.states)
}
