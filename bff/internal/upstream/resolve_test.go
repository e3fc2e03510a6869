package upstream_test

import (
	"context"
	"maps"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	healthgrpc "google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/testkit/nameserver"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// replicas serves backends that tell their address, on the same port of three addresses. They end by the functions.
func replicas(tb testing.TB) (port string, stop map[string]func()) {
	tb.Helper()

	server, first := listen(tb, "tcp", "127.0.0.1:0", named("127.0.0.1"))
	stop = map[string]func(){"127.0.0.1": server.Stop}

	_, port, err := net.SplitHostPort(first)
	if err != nil {
		tb.Fatal(err)
	}

	for _, ip := range []string{"127.0.0.2", "127.0.0.3"} {
		server, _ := listen(tb, "tcp", net.JoinHostPort(ip, port), named(ip))
		stop[ip] = server.Stop
	}

	return port, stop
}

// spread tells who answers a dozen calls.
func spread(tb testing.TB, orders orderv1.OrderServiceClient) []string {
	tb.Helper()

	by := map[string]bool{}

	for range 12 {
		ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
		order, _ := orders.GetOrder(ctx, &orderv1.GetOrderRequest{})

		cancel()

		by[order.GetOrderId()] = true
	}

	return slices.Sorted(maps.Keys(by))
}

// becomes waits until calls go to these and to nobody else.
func becomes(tb testing.TB, orders orderv1.OrderServiceClient, want ...string) {
	tb.Helper()

	var got []string

	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = spread(tb, orders); slices.Equal(got, want) {
			return
		}
	}

	tb.Fatalf("calls go to %q, want %q", got, want)
}

// dnsTarget is the upstream behind the name of the server.
func dnsTarget(server *nameserver.Server, port string, refresh time.Duration) upstream.Config {
	return upstream.Config{Upstream: config.Upstream{
		Target: "dns://" + server.Address + "/" + nameserver.Name + ":" + port, Breaker: patient, RefreshInterval: refresh,
	}}
}

// The limit that gRPC has for the whole process, 30 seconds, is as it is in a gateway.
func TestNamesAreLookedUpAgainFromTimeToTime(t *testing.T) {
	t.Parallel()

	const refresh = 100 * time.Millisecond

	port, _ := replicas(t)
	names := nameserver.Start(t, "127.0.0.1", "127.0.0.2")
	pool := open(t, dnsTarget(names, port, refresh), quiet(t))
	orders := client(t, pool)

	becomes(t, orders, "127.0.0.1", "127.0.0.2")

	// Nothing fails, and yet it is noticed.
	names.Set("127.0.0.1", "127.0.0.2", "127.0.0.3")
	becomes(t, orders, "127.0.0.1", "127.0.0.2", "127.0.0.3")

	if got := pool.Statuses()[0].Addresses; len(got) != 3 || got[0].Address != "127.0.0.1:"+port || got[0].State != "ready" {
		t.Errorf("the addresses are %v", got)
	}

	names.Set("127.0.0.3")
	becomes(t, orders, "127.0.0.3")

	// A name that is gone for a while does not take the addresses with it, and neither does a server that fails.
	for name, fail := range map[string]func(){
		"no such name": func() { names.Set() },
		"SERVFAIL":     func() { names.SetFailing(true) },
	} {
		fail()

		before := names.Queries()
		eventually(t, "lookups that fail: "+name, func() bool { return names.Queries() > before+2 })
		becomes(t, orders, "127.0.0.3")
	}
}

func TestNamesAreLookedUpAgainWhenAConnectionIsLost(t *testing.T) {
	t.Parallel()

	port, stop := replicas(t)
	names := nameserver.Start(t, "127.0.0.1")
	orders := client(t, open(t, dnsTarget(names, port, time.Hour), quiet(t)))

	becomes(t, orders, "127.0.0.1")

	names.Set("127.0.0.2")
	stop["127.0.0.1"]()
	becomes(t, orders, "127.0.0.2")

	// At first the name still has the address that has failed.
	before := names.Queries()

	stop["127.0.0.2"]()
	eventually(t, "more lookups", func() bool {
		spread(t, orders)

		return names.Queries() > before+2
	})
	names.Set("127.0.0.3")
	becomes(t, orders, "127.0.0.3")
}

// The connections of such addresses are not lost, so gRPC itself asks for no lookup.
func TestNamesAreLookedUpAgainWhenNoAddressIsServing(t *testing.T) {
	t.Parallel()

	health := healthgrpc.NewServer()
	_, draining := listen(t, "tcp", "127.0.0.1:0", named("127.0.0.1"), func(s *grpc.Server) { healthpb.RegisterHealthServer(s, health) })

	_, port, err := net.SplitHostPort(draining)
	if err != nil {
		t.Fatal(err)
	}

	listen(t, "tcp", "127.0.0.2:"+port, named("127.0.0.2"))

	names := nameserver.Start(t, "127.0.0.1")
	orders := client(t, open(t, dnsTarget(names, port, time.Hour), quiet(t)))

	becomes(t, orders, "127.0.0.1")

	names.Set("127.0.0.2")
	health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	becomes(t, orders, "127.0.0.2")
}

// quiet are collaborators that nobody asks.
func quiet(tb testing.TB) upstream.Deps {
	tb.Helper()

	d, _ := deps(tb)

	return d
}
