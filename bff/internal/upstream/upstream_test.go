package upstream_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func deps(tb testing.TB) (upstream.Deps, *observer) {
	tb.Helper()

	o := &observer{}

	return upstream.Deps{Logger: slog.New(slog.DiscardHandler), Observer: o}, o
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		config upstream.Config
		want   string
	}{
		{"target_of_an_unknown_kind", upstream.Config{Upstream: config.Upstream{Target: "\x00://order"}.WithDefaults()}, "upstream order: dial: "},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			d, _ := deps(t)

			pool, err := upstream.Open(map[string]upstream.Config{
				"user": {Upstream: config.Upstream{Addresses: []string{"127.0.0.1:1"}}.WithDefaults()}, "order": tt.config,
			}, d)
			if pool != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestNothingIsDialledBeforeTheFirstCall(t *testing.T) {
	t.Parallel()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	d, o := deps(t)
	pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{listener.Addr().String()}, Breaker: patient}}, d)

	want := []upstream.Status{{Name: "order", Connectivity: "IDLE", Breaker: "closed", Limit: 200}}
	if diff := cmp.Diff(want, pool.Statuses()); diff != "" {
		t.Error(diff)
	}

	if diff := cmp.Diff([]breaker.State{breaker.Closed}, o.States()); diff != "" {
		t.Errorf("the observer knows the breaker from the start: %s", diff)
	}

	// Nobody is in the queue of the listener.
	if err := listener.(*net.TCPListener).SetDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}

	if conn, err := listener.Accept(); err == nil {
		t.Errorf("%s was dialled", conn.LocalAddr())
	}

	if err := listener.Close(); err != nil {
		t.Error(err)
	}
}

func TestUnknownName(t *testing.T) {
	t.Parallel()

	d, _ := deps(t)

	pool, err := upstream.Open(map[string]upstream.Config{
		"user": {Upstream: config.Upstream{Addresses: []string{"127.0.0.1:1"}}.WithDefaults()}, "order": {Upstream: config.Upstream{Addresses: []string{"127.0.0.1:1"}}.WithDefaults()},
	}, d)
	if err != nil {
		t.Fatal(err)
	}

	defer pool.Close()

	conn, err := pool.Conn("billing")
	if want := `upstream "billing" is not configured; known are ["order" "user"]`; conn != nil || err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestCallsGoToEachAddressInTurn(t *testing.T) {
	t.Parallel()

	d, _ := deps(t)
	pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, named("a")), start(t, named("b"))}, Breaker: patient}}, d)
	orders := client(t, pool)
	ctx := bounded(t)

	// Until both are connected, one may take it all.
	for last, changed := "", 0; changed < 2; {
		name := get(ctx, t, orders)
		if last != "" && name != last {
			changed++
		}

		last = name
	}

	const rounds = 20

	counts := map[string]int{}
	for range 2 * rounds {
		counts[get(ctx, t, orders)]++
	}

	if diff := cmp.Diff(map[string]int{"a": rounds, "b": rounds}, counts); diff != "" {
		t.Error(diff)
	}
}

// bounded is a context for what goes on until something happens.
func bounded(tb testing.TB) context.Context {
	tb.Helper()

	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	tb.Cleanup(cancel)

	return ctx
}

// get returns the name of the backend that answers.
func get(ctx context.Context, tb testing.TB, orders orderv1.OrderServiceClient) string {
	tb.Helper()

	order, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}, grpc.WaitForReady(true))
	if err != nil {
		tb.Fatal(err)
	}

	return order.GetOrderId()
}

func TestOneBackendStops(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name     string
		stop     func(server *grpc.Server, release func())
		inFlight codes.Code
	}{
		{"at_once", func(server *grpc.Server, release func()) {
			// Stop ends the contexts of its calls, and then waits for their handlers.
			server.Stop()
			release()
		}, codes.Unavailable},
		{"gracefully", func(server *grpc.Server, release func()) {
			release()
			server.GracefulStop()
		}, codes.OK},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			held, released := make(chan struct{}), make(chan struct{})
			leaving, address := listen(t, "tcp", "127.0.0.1:0", backend{get: func(ctx context.Context) (*orderv1.Order, error) {
				held <- struct{}{}

				select {
				case <-released:
				case <-ctx.Done():
				}

				return &orderv1.Order{OrderId: "leaving"}, ctx.Err()
			}})

			d, _ := deps(t)
			pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{address, start(t, named("staying"))}, Breaker: patient}}, d)
			orders := client(t, pool)

			// Whichever call comes to the one that leaves is held there.
			ctx, inFlight := bounded(t), make(chan error, 1)

			go func() {
				for {
					order, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}, grpc.WaitForReady(true))
					if err != nil || order.GetOrderId() == "leaving" {
						inFlight <- err

						return
					}
				}
			}()

			select {
			case <-held:
			case err := <-inFlight:
				t.Fatalf("no call came to the one that leaves: %v", err)
			}

			tt.stop(leaving, func() { close(released) })

			if err := <-inFlight; status.Code(err) != tt.inFlight {
				t.Errorf("the call in flight ended with %v, want %s", err, tt.inFlight)
			}

			for i := range 50 {
				order, err := orders.GetOrder(t.Context(), &orderv1.GetOrderRequest{})
				if err != nil || order.GetOrderId() != "staying" {
					t.Fatalf("call %d after the stop: %v, %v", i, order, err)
				}
			}
		})
	}
}

// socket returns a target that nobody listens on, until someone listens on the path.
func socket(tb testing.TB) (target, path string) {
	tb.Helper()

	dir, err := os.MkdirTemp("", "up") //nolint:usetesting // Paths of sockets are at most 108 bytes long.
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = os.RemoveAll(dir) })

	path = filepath.Join(dir, "s")

	return "unix:" + path, path
}

// quick opens after two failures and tries again at once.
var quick = config.Breaker{FailureRatio: 0.5, MinRequests: 2, Window: time.Hour, OpenFor: time.Millisecond}

// trip calls a dead backend until its breaker opens.
func trip(tb testing.TB, orders orderv1.OrderServiceClient, o *observer) {
	tb.Helper()

	for range 2 {
		if _, err := orders.GetOrder(tb.Context(), &orderv1.GetOrderRequest{}); status.Code(err) != codes.Unavailable {
			tb.Fatalf("a dead backend: got %v", err)
		}
	}

	if diff := cmp.Diff([]breaker.State{breaker.Closed, breaker.Open}, o.States()); diff != "" {
		tb.Fatal(diff)
	}
}

func TestBreakerOpensOnADeadBackendAndRecovers(t *testing.T) {
	t.Parallel()

	target, path := socket(t)
	d, o := deps(t)
	pool := open(t, upstream.Config{Upstream: config.Upstream{Target: target, Breaker: quick}}, d)
	orders := client(t, pool)

	trip(t, orders, o)
	listen(t, "unix", path, named("back"))

	// The connection backs off; a probe may wait for it. Those that come before the breaker is half-open are refused.
	for ctx := bounded(t); ; {
		order, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}, grpc.WaitForReady(true))
		if err == nil {
			if order.GetOrderId() != "back" {
				t.Errorf("got %v", order)
			}

			break
		}

		if !errors.Is(err, breaker.ErrOpen) || ctx.Err() != nil {
			t.Fatal(err)
		}
	}

	want := []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen, breaker.Closed}
	if diff := cmp.Diff(want, o.States()); diff != "" {
		t.Error(diff)
	}
}

func TestRefusedCallIsNotedAndObserved(t *testing.T) {
	t.Parallel()

	settings := quick
	settings.OpenFor = time.Hour

	target, _ := socket(t)
	d, o := deps(t)

	// The balancer writes to it until the pool is closed.
	log := &lines{}
	d.Logger = slog.New(slog.NewTextHandler(log, nil))

	pool := open(t, upstream.Config{Upstream: config.Upstream{Target: target, Breaker: settings}}, d)
	orders := client(t, pool)
	trip(t, orders, o)

	rec := &reqinfo.Record{}
	ctx := reqinfo.NewContext(t.Context(), rec)

	if _, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("unary: got %v", err)
	}

	if _, err := orders.WatchOrder(ctx, &orderv1.WatchOrderRequest{}); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("stream: got %v", err)
	}

	if diff := cmp.Diff([]string{"order"}, rec.Upstreams()); diff != "" {
		t.Error(diff)
	}

	want := []sample{
		{"order", "/order.v1.OrderService/GetOrder", codes.Unavailable},
		{"order", "/order.v1.OrderService/WatchOrder", codes.Unavailable},
	}
	if diff := cmp.Diff(want, o.Calls()[2:]); diff != "" {
		t.Error(diff)
	}

	if got := pool.Statuses()[0].Breaker; got != "open" {
		t.Errorf("the status says %q", got)
	}

	if want := `level=WARN msg="circuit breaker changed" upstream=order from=closed to=open`; log.count(want) == 0 {
		t.Errorf("got the log %q", log)
	}
}

// A client that asks for answers within a microsecond must not open the breaker for everybody.
func TestWhoseDeadlineOpensTheBreaker(t *testing.T) {
	t.Parallel()

	calls := map[string]func(ctx context.Context, orders orderv1.OrderServiceClient) error{
		"unary": func(ctx context.Context, orders orderv1.OrderServiceClient) error {
			_, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{})

			return err
		},
		"stream": func(ctx context.Context, orders orderv1.OrderServiceClient) error {
			stream, err := orders.WatchOrder(ctx, &orderv1.WatchOrderRequest{})
			if err == nil {
				_, err = stream.Recv()
			}

			return err
		},
	}

	tests := []struct {
		name      string
		impatient bool
		want      string
	}{
		{"clients_own_does_not", true, "closed"},
		{"routes_does", false, "open"},
	}

	for _, tt := range tests {
		for kind, call := range calls {
			t.Run(fmt.Sprintf("%s_%s", tt.name, kind), func(t *testing.T) {
				t.Parallel()

				settings := quick
				settings.OpenFor = time.Hour

				d, _ := deps(t)
				pool := open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{start(t, silent())}, Breaker: settings}}, d)
				orders := client(t, pool)

				for range 4 {
					ctx, cancel := context.WithTimeout(
						reqinfo.NewContext(t.Context(), &reqinfo.Record{ClientDeadline: tt.impatient}), time.Millisecond)
					err := call(ctx, orders)

					cancel()

					if status.Code(err) != codes.DeadlineExceeded && !errors.Is(err, breaker.ErrOpen) {
						t.Fatalf("got %v", err)
					}
				}

				if got := pool.Statuses()[0].Breaker; got != tt.want {
					t.Errorf("the breaker is %s, want %s", got, tt.want)
				}
			})
		}
	}
}

// silent answers nothing until the caller gives up.
func silent() backend {
	return backend{
		get: func(ctx context.Context) (*orderv1.Order, error) {
			<-ctx.Done()

			return nil, ctx.Err()
		},
		watch: func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
			<-stream.Context().Done()

			return stream.Context().Err()
		},
	}
}

func TestInterceptorsOfTheCallerRunFirst(t *testing.T) {
	t.Parallel()

	refused := status.Error(codes.PermissionDenied, "not by this door")
	d, o := deps(t)
	d.Unary = func(context.Context, string, any, any, *grpc.ClientConn, grpc.UnaryInvoker, ...grpc.CallOption) error {
		return refused
	}
	d.Stream = func(
		context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, grpc.Streamer, ...grpc.CallOption,
	) (grpc.ClientStream, error) {
		return nil, refused
	}

	orders := client(t, open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{"127.0.0.1:1"}, Breaker: quick}}, d))

	if _, err := orders.GetOrder(t.Context(), &orderv1.GetOrderRequest{}); !errors.Is(err, refused) {
		t.Errorf("unary: got %v", err)
	}

	if _, err := orders.WatchOrder(t.Context(), &orderv1.WatchOrderRequest{}); !errors.Is(err, refused) {
		t.Errorf("stream: got %v", err)
	}

	if got := o.Calls(); len(got) != 0 {
		t.Errorf("observed %v, which no backend saw", got)
	}
}
