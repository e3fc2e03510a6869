package replicas_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/api/httpbody"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// tick is the time between two messages of a stream.
const tick = 10 * time.Millisecond

// backend is a gRPC server for all upstreams. It counts writes by their key, and has long streams in all directions.
type backend struct {
	gatewaytest.FlakyBackend

	// finish ends the downloads.
	finish chan struct{}

	mu     sync.Mutex
	orders map[string]int
	// held is waited for before the first order of a key is made. Nil: none is.
	held map[string]chan struct{}
}

func startBackend(t *testing.T) *backend {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &backend{
		FlakyBackend: gatewaytest.FlakyBackend{Backend: &gatewaytest.Backend{Address: listener.Addr().String()}},
		finish:       make(chan struct{}), orders: map[string]int{}, held: map[string]chan struct{}{},
	}

	server := grpc.NewServer()
	userv1.RegisterUserServiceServer(server, b)
	orderv1.RegisterOrderServiceServer(server, b)
	profilev1.RegisterProfileServiceServer(server, b)
	paymentv1.RegisterPaymentServiceServer(server, b)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return b
}

// CreateOrder counts the orders of a key. The first one waits if it is held.
func (b *backend) CreateOrder(ctx context.Context, req *orderv1.CreateOrderRequest) (*orderv1.Order, error) {
	key := req.GetRequestId()

	b.mu.Lock()
	b.orders[key]++
	held := b.held[key]
	b.mu.Unlock()

	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}

	return &orderv1.Order{OrderId: "order-" + key, Items: req.GetItems()}, nil
}

// hold lets the first order of a key wait until what it returns is closed.
func (b *backend) hold(key string) chan<- struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()

	b.held[key] = make(chan struct{})

	return b.held[key]
}

// made returns how many orders of a key were made.
func (b *backend) made(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()

	return b.orders[key]
}

// WatchOrder sends the changes after those that the client has seen, without an end.
func (b *backend) WatchOrder(req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()

	for sequence := req.GetAfterSequence() + 1; ; sequence++ {
		if err := stream.Send(&orderv1.WatchOrderResponse{OrderId: req.GetOrderId(), Sequence: sequence}); err != nil {
			return err
		}

		select {
		case <-ticker.C:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// UploadAvatar returns how many bytes arrived.
func (b *backend) UploadAvatar(stream grpc.ClientStreamingServer[profilev1.UploadAvatarRequest, profilev1.Avatar]) error {
	return gatewaytest.CountUpload(stream)
}

// halfFile is what a download has before, and after, it may be finished.
const halfFile = "half of it."

// GetAvatar sends a file in two parts.
func (b *backend) GetAvatar(_ *profilev1.GetAvatarRequest, stream grpc.ServerStreamingServer[httpbody.HttpBody]) error {
	b.mu.Lock()
	finish := b.finish
	b.mu.Unlock()

	if err := stream.Send(&httpbody.HttpBody{ContentType: "image/png", Data: []byte(halfFile)}); err != nil {
		return err
	}

	select {
	case <-finish:
	case <-stream.Context().Done():
		return stream.Context().Err()
	}

	return stream.Send(&httpbody.HttpBody{Data: []byte(halfFile)})
}

// finishDownloads lets all downloads that have begun end.
func (b *backend) finishDownloads() {
	b.mu.Lock()
	defer b.mu.Unlock()

	close(b.finish)
	b.finish = make(chan struct{})
}
