package upstream

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/portico-gateway/portico/bff/config"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// silentOrders says nothing for hours, and then one thing.
type silentOrders struct {
	orderv1.UnimplementedOrderServiceServer
}

func (silentOrders) WatchOrder(_ *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	select {
	case <-time.After(3 * time.Hour):
		return stream.Send(&orderv1.WatchOrderResponse{OrderId: "a"})
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

// A server that permits as many pings as gRPC's do by default does not end a connection on which nothing happens, nor the calls on
// it, though there are no probes.
func TestPingsAreFewEnoughForEveryServer(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		listener, server := bufconn.Listen(1<<10), grpc.NewServer()
		orderv1.RegisterOrderServiceServer(server, silentOrders{})

		go func() { _ = server.Serve(listener) }()
		defer server.Stop()

		var connections atomic.Int64

		cfg := Config{Upstream: config.Upstream{
			Addresses: []string{"order.test:9000"}, Probe: config.Probe{Disabled: true},
		}.WithDefaults()}

		conn, err := dial(cfg, newGroup("order", cfg, Deps{}), []grpc.DialOption{
			grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
				connections.Add(1)

				return listener.DialContext(ctx)
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()

		stream, err := orderv1.NewOrderServiceClient(conn).WatchOrder(t.Context(), &orderv1.WatchOrderRequest{})
		if err != nil {
			t.Fatal(err)
		}

		if got, err := stream.Recv(); err != nil || got.GetOrderId() != "a" || connections.Load() != 1 {
			t.Errorf("got %v, %v over %d connections", got, err, connections.Load())
		}
	})
}
