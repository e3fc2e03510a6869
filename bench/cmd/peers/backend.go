package main

import (
	"context"
	"fmt"
	"net"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bench/internal/sample"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// runBackend serves all services from memory, with answers that are ready.
func runBackend() error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}

	admin, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}

	calls := &calls{}
	server := grpc.NewServer(grpc.UnaryInterceptor(calls.unary), grpc.StreamInterceptor(calls.stream))
	userv1.RegisterUserServiceServer(server, users{answer: sample.User()})
	profilev1.RegisterProfileServiceServer(server, profiles{answer: sample.Profile()})
	orderv1.RegisterOrderServiceServer(server, newOrders())
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())

	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", calls.write)

	failed := make(chan error, 2)

	go func() { failed <- http.Serve(admin, mux) }()
	go func() { failed <- server.Serve(listener) }()

	fmt.Printf("listening address=%s admin=%s\n", listener.Addr(), admin.Addr())

	return <-failed
}

type users struct {
	userv1.UnimplementedUserServiceServer

	answer *userv1.User
}

func (s users) GetUser(context.Context, *userv1.GetUserRequest) (*userv1.User, error) {
	return s.answer, nil
}

type profiles struct {
	profilev1.UnimplementedProfileServiceServer

	answer *profilev1.Profile
}

func (s profiles) GetProfile(context.Context, *profilev1.GetProfileRequest) (*profilev1.Profile, error) {
	return s.answer, nil
}

type orders struct {
	orderv1.UnimplementedOrderServiceServer

	one         *orderv1.Order
	short, long *orderv1.ListOrdersResponse
	changes     []*orderv1.WatchOrderResponse
}

func newOrders() *orders {
	s := &orders{one: sample.Order(0), short: sample.Orders(sample.DashboardOrders), long: sample.Orders(sample.ListLength)}
	for i := range sample.StreamLength {
		s.changes = append(s.changes, sample.Change(i))
	}

	return s
}

func (s *orders) GetOrder(context.Context, *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return s.one, nil
}

func (s *orders) CreateOrder(context.Context, *orderv1.CreateOrderRequest) (*orderv1.Order, error) {
	return s.one, nil
}

func (s *orders) ListOrders(_ context.Context, req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	if req.GetPageSize() == sample.ListLength {
		return s.long, nil
	}

	return s.short, nil
}

// WatchOrder sends all changes, or, of the order "open", one and then nothing.
func (s *orders) WatchOrder(req *orderv1.WatchOrderRequest, stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
	if req.GetOrderId() == "open" {
		if err := stream.Send(s.changes[0]); err != nil {
			return err
		}

		<-stream.Context().Done()

		return nil
	}

	for _, change := range s.changes {
		if err := stream.Send(change); err != nil {
			return err
		}
	}

	return nil
}
