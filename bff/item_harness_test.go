package bff_test

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	itemv1 "github.com/portico-gateway/portico/bff/internal/foreign/gen/item/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// items answers with what it gets.
type items struct {
	itemv1.UnimplementedItemServiceServer

	// item, if set, is what CreateItem and GetItem answer with.
	item *itemv1.Item
}

func (items) UpdateItem(_ context.Context, m *itemv1.UpdateItemRequest) (*itemv1.UpdateItemRequest, error) {
	return m, nil
}

func (items) UpdateFlat(_ context.Context, m *itemv1.UpdateFlatRequest) (*itemv1.UpdateFlatRequest, error) {
	return m, nil
}

func (b items) CreateItem(_ context.Context, m *itemv1.CreateItemRequest) (*itemv1.Item, error) {
	if b.item != nil {
		return b.item, nil
	}

	return m.GetItem(), nil
}

func (items) PingItem(_ context.Context, m *itemv1.PingItemRequest) (*itemv1.PingItemRequest, error) {
	return m, nil
}

func (items) CheckStrict(_ context.Context, m *itemv1.Strict) (*itemv1.Strict, error) { return m, nil }

// startItems serves item.v1.ItemService to everyone.
func startItems(t *testing.T, b items, policy *porticov1.MethodPolicy, more ...bff.Option) *site {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer()
	itemv1.RegisterItemServiceServer(server, b)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	options := append([]bff.Option{quiet(), bff.WithHandlers("item", itemv1.RegisterItemServiceHandler, "item.v1.ItemService")}, more...)
	if policy != nil {
		options = append(options, bff.WithDefaultPolicy(policy))
	}

	gw, err := bff.New(t.Context(), config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"item": {Addresses: []string{listener.Addr().String()}}},
	}, options...)
	if err != nil {
		t.Fatal(err)
	}

	return &site{gw: gw, url: serve(t, gw), stopBackend: server.Stop}
}
