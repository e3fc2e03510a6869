package gatewaytest

import (
	"context"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	itemv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/item/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// items answers with what it gets.
type items struct {
	itemv1.UnimplementedItemServiceServer
}

func (items) UpdateItem(_ context.Context, m *itemv1.UpdateItemRequest) (*itemv1.UpdateItemRequest, error) {
	return m, nil
}

func (items) UpdateFlat(_ context.Context, m *itemv1.UpdateFlatRequest) (*itemv1.UpdateFlatRequest, error) {
	return m, nil
}

// store answers with the item that it gets.
type store struct {
	itemv1.UnimplementedStoreServiceServer
}

func (store) CreateItem(_ context.Context, m *itemv1.CreateItemRequest) (*itemv1.Item, error) {
	return m.GetItem(), nil
}

// GetItem answers with the fields that it is asked for as a label.
func (store) GetItem(_ context.Context, m *itemv1.GetItemRequest) (*itemv1.Item, error) {
	item := &itemv1.Item{Name: m.GetName()}
	if m.GetReadMask() != nil {
		item.Labels = map[string]string{"asked": strings.Join(m.GetReadMask().GetPaths(), ",")}
	}

	return item, nil
}

func (items) PingItem(_ context.Context, m *itemv1.PingItemRequest) (*itemv1.PingItemRequest, error) {
	return m, nil
}

func (items) CheckStrict(_ context.Context, m *itemv1.Strict) (*itemv1.Strict, error) { return m, nil }

// StartItems serves item.v1.ItemService to everyone.
func StartItems(t *testing.T, change func(*config.Config), more ...bff.Option) *Site {
	t.Helper()

	return startItemServer(t, change, append(more, bff.WithHandlers("item", itemv1.RegisterItemServiceHandler, "item.v1.ItemService"))...)
}

// StartStore serves item.v1.StoreService to everyone, with a policy for both of its methods.
func StartStore(t *testing.T, policy *porticov1.MethodPolicy, more ...bff.Option) *Site {
	t.Helper()

	return startItemServer(t, nil, append(more, bff.WithDefaultPolicy(policy),
		bff.WithHandlers("item", itemv1.RegisterStoreServiceHandler, "item.v1.StoreService"))...)
}

func startItemServer(t *testing.T, change func(*config.Config), more ...bff.Option) *Site {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	server := grpc.NewServer()
	itemv1.RegisterItemServiceServer(server, items{})
	itemv1.RegisterStoreServiceServer(server, store{})
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	cfg := config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"item": Upstream(listener.Addr().String())},
	}
	if change != nil {
		change(&cfg)
	}

	s := Serve(t, Compile(t, cfg, append([]bff.Option{Quiet()}, more...)...))
	s.StopBackend = server.Stop

	return s
}
