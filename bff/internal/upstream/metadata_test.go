package upstream_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// known is the record of a request of which everything is known.
func known() *reqinfo.Record {
	return &reqinfo.Record{
		ID: "req-1", Client: netip.MustParseAddr("203.0.113.7"),
		Authorization: "Bearer verified",
		Principal: reqinfo.Principal{
			Subject: "usr_1", Issuer: "https://login", Scopes: []string{"orders:read", "orders:admin"},
			Roles: []string{"clerk", "not admin", "auditor"}, Tenant: "acme",
		},
	}
}

// grpc-gateway passes the client's own Authorization on, whatever its header matcher says.
func TestBackendGetsTheGatewaysMetadataAlone(t *testing.T) {
	all := metadata.MD{
		"x-request-id": {"req-1"}, "x-portico-subject": {"usr_1"}, "x-portico-scopes": {"orders:read orders:admin"},
		"x-portico-client-address": {"203.0.113.7"}, "x-portico-roles": {"clerk auditor"}, "x-portico-tenant": {"acme"},
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
		{"forged_roles_tenant_and_identity", known(), metadata.MD{
			"x-portico-roles": {"root"}, "x-portico-tenant": {"umbrella"}, "x-portico-identity": {"eyJ"},
		}, all},
		{"forged_subject_in_binary", known(), metadata.MD{"x-portico-subject-bin": {"usr_root"}}, all},
		{"forged_subject_with_underscores", known(), metadata.MD{"x_portico_subject": {"usr_root"}}, all},
		{"trace_and_anything_else", known(), metadata.MD{"traceparent": {"00-1"}, "grpc-trace-bin": {"\x00"}, "x-debug": {"1"}}, all},
		{"anonymous_with_a_forged_subject", &reqinfo.Record{ID: "req-2"}, metadata.MD{
			"x-portico-subject": {"usr_root"}, "x-portico-scopes": {"root"}, "x-portico-roles": {"root"},
		}, metadata.MD{"x-request-id": {"req-2"}}},
		{"subject_without_scopes", &reqinfo.Record{ID: "req-3", Principal: reqinfo.Principal{Subject: "usr_1"}}, nil, metadata.MD{
			"x-request-id": {"req-3"}, "x-portico-subject": {"usr_1"},
		}},
		{"client_with_ipv6", &reqinfo.Record{Client: netip.MustParseAddr("2001:db8::1")}, nil, metadata.MD{
			"x-portico-client-address": {"2001:db8::1"},
		}},
		{"role_that_reads_as_others_alone", &reqinfo.Record{Principal: reqinfo.Principal{
			Subject: "usr_1", Roles: []string{"not admin", ""},
		}}, nil, metadata.MD{"x-portico-subject": {"usr_1"}}},
		{"headers_that_are_let_through", &reqinfo.Record{ID: "req-4", Forward: map[string][]string{
			"accept-language": {"de"}, "x-a": {"1", "2"}, "traceparent": {"00-1"},
		}}, metadata.MD{"x-a": {"3"}}, metadata.MD{
			"x-request-id": {"req-4"}, "accept-language": {"de"}, "x-a": {"1", "2"}, "traceparent": {"00-1"},
		}},
		{"headers_that_should_not_have_been_let_through", &reqinfo.Record{Forward: map[string][]string{
			"authorization": {"Bearer a"}, "x-portico-subject": {"root"}, "X-Portico-Roles": {"root"}, "x-portico-identity": {"eyJ"},
			"x-request-id": {"forged"}, "x-portico-other": {"1"},
		}}, nil, metadata.MD{}},
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
	orders := client(t, open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{address}, Breaker: patient}}, d))

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

func TestOutgoing(t *testing.T) {
	t.Parallel()

	sign := func(p reqinfo.Principal) (string, error) { return "signed " + p.Subject, nil }
	anonymous := &reqinfo.Record{ID: "req-2", Authorization: "Basic unread"}

	tests := []struct {
		name     string
		metadata upstream.Metadata
		record   *reqinfo.Record
		// authorization and identity are what is there beyond what all get.
		authorization, identity []string
	}{
		{"nothing_more", upstream.Metadata{}, known(), nil, nil},
		{"authorization", upstream.Metadata{ForwardAuthorization: true}, known(), []string{"Bearer verified"}, nil},
		{"no_authorization_was_verified", upstream.Metadata{ForwardAuthorization: true}, &reqinfo.Record{ID: "req-2"}, nil, nil},
		{"identity", upstream.Metadata{Sign: sign}, known(), nil, []string{"signed usr_1"}},
		{"nobody_has_no_identity", upstream.Metadata{Sign: sign}, anonymous, nil, nil},
		{"both", upstream.Metadata{ForwardAuthorization: true, Sign: sign}, known(), []string{"Bearer verified"}, []string{"signed usr_1"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			tt.record.Forward = map[string][]string{"authorization": {"Bearer forged"}, "x-portico-identity": {"forged"}, "x-a": {"1"}}
			ctx := reqinfo.NewContext(t.Context(), tt.record)
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer forged", "x-portico-identity", "forged")

			ctx, err := tt.metadata.Outgoing(ctx)
			if err != nil {
				t.Fatal(err)
			}

			got, _ := metadata.FromOutgoingContext(ctx)
			if diff := cmp.Diff(tt.authorization, got["authorization"]); diff != "" {
				t.Error(diff)
			}

			if diff := cmp.Diff(tt.identity, got["x-portico-identity"]); diff != "" {
				t.Error(diff)
			}

			delete(got, "authorization")
			delete(got, "x-portico-identity")

			want := upstream.CommonMetadata(tt.record)
			if diff := cmp.Diff(want, got); diff != "" || len(got["x-a"]) != 1 || len(got["x-request-id"]) != 1 {
				t.Error(diff)
			}
		})
	}
}

func TestNothingGoesOutWithoutTheIdentity(t *testing.T) {
	t.Parallel()

	address := start(t, backend{
		get: func(context.Context) (*orderv1.Order, error) {
			t.Error("a call went out")

			return &orderv1.Order{}, nil
		},
		watch: func(grpc.ServerStreamingServer[orderv1.WatchOrderResponse]) error {
			t.Error("a stream went out")

			return nil
		},
	})

	d, o := deps(t)
	orders := client(t, open(t, upstream.Config{Upstream: config.Upstream{Addresses: []string{address}, Breaker: patient}, Metadata: upstream.Metadata{
		Sign: func(reqinfo.Principal) (string, error) { return "", errors.New("no entropy") },
	}}, d))

	ctx := reqinfo.NewContext(t.Context(), known())
	if _, err := orders.GetOrder(ctx, &orderv1.GetOrderRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("call: got %v", err)
	}

	if _, err := orders.WatchOrder(ctx, &orderv1.WatchOrderRequest{}); status.Code(err) != codes.Internal {
		t.Errorf("stream: got %v", err)
	}

	// It says nothing about the backend.
	if calls := o.Calls(); len(calls) != 0 {
		t.Errorf("observed %v", calls)
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
