package upstream_test

import (
	"context"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// caller is a request as the edge hands it on.
func caller() *reqinfo.Record {
	return &reqinfo.Record{
		ID: "0123456789abcdef0123456789abcdef", Start: time.Now(), Client: netip.MustParseAddr("192.0.2.1"),
		Principal: reqinfo.Principal{
			Subject: "usr_1", Issuer: "https://login.example", Scopes: []string{"orders:read", "orders:write"},
			Roles: []string{"clerk"}, Tenant: "acme",
		},
		Forward: map[string][]string{"traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}},
	}
}

// BenchmarkCall is what a small call over loopback costs: bare through gRPC alone, and with all that the gateway does for it.
func BenchmarkCall(b *testing.B) {
	address := start(b, named("a"))

	bare, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}

	b.Cleanup(func() { _ = bare.Close() })

	pool := open(b, upstream.Config{Upstream: config.Upstream{Addresses: []string{address}, Breaker: config.Breaker{
		FailureRatio: 0.5, MinRequests: 10, Window: 10 * time.Second, OpenFor: 2 * time.Second, SlowAfter: time.Second,
	}}}, upstream.Deps{Observer: deaf{&observer{}}})

	portico, err := pool.Conn("order")
	if err != nil {
		b.Fatal(err)
	}

	for _, tt := range []struct {
		name string
		conn grpc.ClientConnInterface
		// ready is what the gateway does before.
		ready func(ctx context.Context) context.Context
	}{
		{"bare", bare, func(ctx context.Context) context.Context { return ctx }},
		{"bare_with_the_metadata", bare, func(ctx context.Context) context.Context {
			return metadata.NewOutgoingContext(ctx, upstream.CommonMetadata(reqinfo.From(ctx)))
		}},
		{"portico", portico, func(ctx context.Context) context.Context { return ctx }},
	} {
		b.Run(tt.name, func(b *testing.B) {
			orders := orderv1.NewOrderServiceClient(tt.conn)
			req := &orderv1.GetOrderRequest{OrderId: "ord_1"}
			deadline := time.Now().Add(time.Hour)

			b.ReportAllocs()
			b.SetParallelism(parallel)

			before := cpu(b)

			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ctx, cancel := context.WithDeadline(reqinfo.NewContext(b.Context(), caller()), deadline)

					var header, trailer metadata.MD

					if _, err := orders.GetOrder(tt.ready(ctx), req, grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
						b.Error(err)
					}

					cancel()
				}
			})

			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// parallel calls for each processor.
const parallel = 8

// cpu is what this process has used, the backend in it included: steadier than time on a machine that does other things, too.
func cpu(tb testing.TB) int64 {
	tb.Helper()

	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		tb.Fatal(err)
	}

	return usage.Utime.Nano() + usage.Stime.Nano()
}

// deaf observes nothing that a call does.
type deaf struct{ *observer }

func (deaf) ObserveCall(upstream.CallResult) {}

func BenchmarkOutgoing(b *testing.B) {
	for name, m := range map[string]upstream.Metadata{
		"plain":    {},
		"identity": {ForwardAuthorization: true, Sign: func(reqinfo.Principal) (string, error) { return "signed", nil }},
	} {
		b.Run(name, func(b *testing.B) {
			rec := caller()
			rec.Authorization = "Bearer token"
			ctx := reqinfo.NewContext(b.Context(), rec)

			b.ReportAllocs()

			for b.Loop() {
				if _, err := m.Outgoing(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
