package upstream_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// known is the record of a request of which everything is known.
func known() *reqinfo.Record {
	return &reqinfo.Record{
		ID: "req-1", Client: netip.MustParseAddr("203.0.113.7"),
		Principal: reqinfo.Principal{Subject: "usr_1", Issuer: "https://login", Scopes: []string{"orders:read", "orders:admin"}},
	}
}

// grpc-gateway passes the client's own Authorization on, whatever its header matcher says.
func TestBackendGetsTheGatewaysMetadataAlone(t *testing.T) {
	all := metadata.MD{
		"x-request-id": {"req-1"}, "x-portico-subject": {"usr_1"}, "x-portico-scopes": {"orders:read orders:admin"},
		"x-portico-client-address": {"203.0.113.7"},
	}

	tests := []struct {
		name   string
		record *reqinfo.Record
		before metadata.MD
		want   metadata.MD
	}{
		{"nothing_stood_there", known(), nil, all},
		{"token", known(), metadata.MD{"authorization": {"Bearer a", "Bearer b"}}, all},
		{"forwarded_token", known(), metadata.MD{"grpcgateway-authorization": {"Bearer a"}}, all},
		{"cookies", known(), metadata.MD{"cookie": {"session=1"}, "grpcgateway-cookie": {"session=1"}}, all},
		{"addresses", known(), metadata.MD{"x-forwarded-for": {"10.0.0.1"}, "x-forwarded-host": {"evil.example"}}, all},
		{"forged_subject", known(), metadata.MD{"x-portico-subject": {"usr_root", "usr_2"}}, all},
		{"forged_scopes_and_address", known(), metadata.MD{
			"x-portico-scopes": {"root"}, "x-portico-client-address": {"127.0.0.1"}, "x-request-id": {"forged"},
		}, all},
		{"forged_subject_in_binary", known(), metadata.MD{"x-portico-subject-bin": {"usr_root"}}, all},
		{"forged_subject_with_underscores", known(), metadata.MD{"x_portico_subject": {"usr_root"}}, all},
		{"trace_and_anything_else", known(), metadata.MD{"traceparent": {"00-1"}, "grpc-trace-bin": {"\x00"}, "x-debug": {"1"}}, all},
		{"anonymous_with_a_forged_subject", &reqinfo.Record{ID: "req-2"}, metadata.MD{
			"x-portico-subject": {"usr_root"}, "x-portico-scopes": {"root"},
		}, metadata.MD{"x-request-id": {"req-2"}}},
		{"subject_without_scopes", &reqinfo.Record{ID: "req-3", Principal: reqinfo.Principal{Subject: "usr_1"}}, nil, metadata.MD{
			"x-request-id": {"req-3"}, "x-portico-subject": {"usr_1"},
		}},
		{"client_with_ipv6", &reqinfo.Record{Client: netip.MustParseAddr("2001:db8::1")}, nil, metadata.MD{
			"x-portico-client-address": {"2001:db8::1"},
		}},
		{"no_request_at_all", &reqinfo.Record{}, metadata.MD{"authorization": {"Bearer a"}}, metadata.MD{}},
	}

	got := make(chan metadata.MD, 1)
	keep := func(ctx context.Context) {
		md, _ := metadata.FromIncomingContext(ctx)
		got <- md
	}

	address := start(t, backend{
		get: func(ctx context.Context) (*orderv1.Order, error) {
			keep(ctx)

			return &orderv1.Order{}, nil
		},
		watch: func(stream grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
			keep(stream.Context())

			return nil
		},
	})

	d, _ := deps(t)
	orders := client(t, open(t, upstream.Config{Addresses: []string{address}, Breaker: patient}, d))

	calls := map[string]func(ctx context.Context) error{
		"unary": func(ctx context.Context) error {
			_, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{})

			return err
		},
		"stream": func(ctx context.Context) error {
			_, err := orders.WatchOrder(ctx, &orderv1.WatchOrderRequest{})

			return err
		},
	}

	for _, tt := range tests {
		for kind, call := range calls {
			t.Run(tt.name+"_"+kind, func(t *testing.T) {
				ctx := reqinfo.NewContext(t.Context(), tt.record)
				if tt.before != nil {
					ctx = metadata.NewOutgoingContext(ctx, tt.before)
				}

				// In both of gRPC's ways to set it.
				ctx = metadata.AppendToOutgoingContext(ctx, "x-portico-subject", "usr_appended")

				if err := call(ctx); err != nil {
					t.Fatal(err)
				}

				if diff := cmp.Diff(tt.want, ours(<-got)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// ours drops what gRPC itself sends.
func ours(md metadata.MD) metadata.MD {
	for key := range md {
		switch {
		case strings.HasPrefix(key, ":"), strings.HasPrefix(key, "grpc-accept"), key == "content-type", key == "user-agent":
			delete(md, key)
		}
	}

	return md
}
