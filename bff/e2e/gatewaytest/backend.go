package gatewaytest

import (
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// Backend is a real gRPC server that offers just enough of every service and remembers every call.
type Backend struct {
	userv1.UnimplementedUserServiceServer
	orderv1.UnimplementedOrderServiceServer
	paymentv1.UnimplementedPaymentServiceServer
	profilev1.UnimplementedProfileServiceServer
	shelfv1.UnimplementedShelfServiceServer

	Address string
	// Fail, if set, is what calls end with, by full method.
	Fail map[string]error
	// Hold, if set, is waited for before any answer.
	Hold chan struct{}

	mu    sync.Mutex
	calls []Call
}

// Call is one that a backend got.
type Call struct {
	RPC      string
	Metadata metadata.MD
	Left     time.Duration
}

// StartBackend starts a backend that is stopped at the end of the test.
func StartBackend(t *testing.T) *Backend {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &Backend{Address: listener.Addr().String(), Fail: map[string]error{}}
	server := grpc.NewServer(grpc.UnaryInterceptor(b.Unary), grpc.StreamInterceptor(b.stream))
	userv1.RegisterUserServiceServer(server, b)
	orderv1.RegisterOrderServiceServer(server, b)
	profilev1.RegisterProfileServiceServer(server, b)
	paymentv1.RegisterPaymentServiceServer(server, b)
	shelfv1.RegisterShelfServiceServer(server, b)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	return b
}

func (b *Backend) record(ctx context.Context, rpc string) error {
	md, _ := metadata.FromIncomingContext(ctx)

	var left time.Duration
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}

	b.mu.Lock()
	b.calls = append(b.calls, Call{RPC: rpc, Metadata: md, Left: left})
	b.mu.Unlock()

	if b.Hold != nil {
		select {
		case <-b.Hold:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}

	return b.Fail[rpc]
}

// Unary is an interceptor that records the call.
func (b *Backend) Unary(
	ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler,
) (any, error) {
	// Health checks are the gateway's own business.
	if strings.HasPrefix(info.FullMethod, "/grpc.health") {
		return handler(ctx, req)
	}

	if err := b.record(ctx, info.FullMethod); err != nil {
		return nil, err
	}

	return handler(ctx, req)
}

func (b *Backend) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if strings.HasPrefix(info.FullMethod, "/grpc.health") {
		return handler(srv, ss)
	}

	if err := b.record(ss.Context(), info.FullMethod); err != nil {
		return err
	}

	return handler(srv, ss)
}

// Count returns how many calls there were since TakeCalls.
func (b *Backend) Count() int {
	b.mu.Lock()
	defer b.mu.Unlock()

	return len(b.calls)
}

// TakeCalls returns the calls so far and forgets them.
func (b *Backend) TakeCalls() []Call {
	b.mu.Lock()
	defer b.mu.Unlock()

	calls := b.calls
	b.calls = nil

	return calls
}

// GetUser returns a user of that name.
func (b *Backend) GetUser(_ context.Context, req *userv1.GetUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId()}, nil
}

// UpdateUser returns the mask as the name of the user.
func (b *Backend) UpdateUser(_ context.Context, req *userv1.UpdateUserRequest) (*userv1.User, error) {
	return &userv1.User{UserId: req.GetUserId(), DisplayName: strings.Join(req.GetUpdateMask().GetPaths(), ",")}, nil
}

// ListOrders returns one order. There are three pages of one.
func (b *Backend) ListOrders(_ context.Context, req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	list := &orderv1.ListOrdersResponse{Orders: []*orderv1.Order{{OrderId: "o1", UserId: req.GetUserId()}}}
	if req.GetPageSize() == 1 && len(req.GetPageToken()) < 2*len(PageToken) {
		list.NextPageToken = req.GetPageToken() + PageToken
	}

	return list, nil
}

// PageToken is that of the second page. It has characters that mean something in queries and headers.
const PageToken = "=?&>;\"\u00fc "

// DeleteUser does nothing.
func (b *Backend) DeleteUser(context.Context, *userv1.DeleteUserRequest) (*emptypb.Empty, error) {
	return &emptypb.Empty{}, nil
}

// GetProfile returns an empty profile.
func (b *Backend) GetProfile(_ context.Context, req *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	return &profilev1.Profile{UserId: req.GetUserId()}, nil
}

// CreateOrder returns the items.
func (b *Backend) CreateOrder(_ context.Context, req *orderv1.CreateOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{OrderId: "o1", Items: req.GetItems()}, nil
}

// WatchOrder answers with the two changes after those that the client has seen.
func (b *Backend) WatchOrder(req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	for i := range int64(2) {
		if err := stream.Send(&orderv1.WatchOrderResponse{OrderId: req.GetOrderId(), Sequence: req.GetAfterSequence() + i + 1}); err != nil {
			return err
		}
	}

	return nil
}

// GetFeaturedShelf returns another shelf than GetShelf.
func (b *Backend) GetFeaturedShelf(context.Context, *shelfv1.GetFeaturedShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: "the featured one"}, nil
}

// GetShelf returns what its path says.
func (b *Backend) GetShelf(_ context.Context, req *shelfv1.GetShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: req.GetShelfId(), Title: req.GetRoomId()}, nil
}

// MoveShelf returns what its path says.
func (b *Backend) MoveShelf(_ context.Context, req *shelfv1.MoveShelfRequest) (*shelfv1.Shelf, error) {
	return &shelfv1.Shelf{ShelfId: req.GetShelfId(), Title: req.GetRoomId()}, nil
}

// ListBooks sends two books, after which the parent says how the stream ends.
func (b *Backend) ListBooks(req *shelfv1.ListBooksRequest, stream grpc.ServerStreamingServer[shelfv1.ListBooksResponse]) error {
	if req.GetParent() == "shelves/none" {
		return status.Error(codes.NotFound, "no such shelf")
	}

	for _, title := range []string{"Emma", "Ulysses"} {
		if err := stream.Send(&shelfv1.ListBooksResponse{Title: title}); err != nil {
			return err
		}
	}

	switch req.GetParent() {
	case "shelves/torn":
		return status.Error(codes.Internal, "secret: disk 7 at 10.0.0.7")
	case "shelves/endless":
		<-stream.Context().Done()

		return stream.Context().Err()
	}

	return nil
}

// Echo returns its request.
func (b *Backend) Echo(_ context.Context, req *shelfv1.EchoRequest) (*shelfv1.EchoResponse, error) {
	return &shelfv1.EchoResponse{Rest: req.GetRest(), Text: req.GetText()}, nil
}
