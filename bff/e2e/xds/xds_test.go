//go:build xds

// Package xds_test holds an end-to-end test of a gateway whose backends a control plane knows. It needs the tag xds.
package xds_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/resolver"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	managerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/sotw/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/xds"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/portico-gateway/portico/bff/config"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// node is who the gateway says it is.
const node = "portico"

// plane is a control plane with one service, "orders".
type plane struct {
	discoveryv3.UnimplementedAggregatedDiscoveryServiceServer

	address string
	cache   cache.SnapshotCache
	server  sotw.Server
	version int
}

// StreamAggregatedResources is the one stream of a client.
func (p *plane) StreamAggregatedResources(
	stream discoveryv3.AggregatedDiscoveryService_StreamAggregatedResourcesServer,
) error {
	return p.server.StreamHandler(stream, resource.AnyType)
}

func servePlane(tb testing.TB) *plane {
	tb.Helper()

	p := &plane{cache: cache.NewSnapshotCache(true, cache.IDHash{}, nil)}
	p.server = sotw.NewServer(tb.Context(), p.cache, nil)
	p.address = serveGRPC(tb, func(server *grpc.Server) {
		discoveryv3.RegisterAggregatedDiscoveryServiceServer(server, p)
	})

	return p
}

// serveGRPC serves on a free port until the test ends.
func serveGRPC(tb testing.TB, register func(*grpc.Server)) string {
	tb.Helper()

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}

	server := grpc.NewServer()
	register(server)

	var wg sync.WaitGroup

	wg.Go(func() { _ = server.Serve(listener) })
	tb.Cleanup(func() {
		server.Stop()
		wg.Wait()
	})

	return listener.Addr().String()
}

// says has the service at these addresses from now on.
func (p *plane) says(tb testing.TB, addresses ...string) {
	tb.Helper()

	p.version++

	snapshot, err := cache.NewSnapshot(strconv.Itoa(p.version), map[resource.Type][]types.Resource{
		resource.ListenerType: {listener(tb)},
		resource.RouteType:    {routes()},
		resource.ClusterType: {&clusterv3.Cluster{
			Name: "orders", ClusterDiscoveryType: &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS},
			EdsClusterConfig: &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads()},
		}},
		resource.EndpointType: {assignment(tb, addresses)},
	})
	if err != nil {
		tb.Fatal(err)
	}

	if err := p.cache.SetSnapshot(tb.Context(), node, snapshot); err != nil {
		tb.Fatal(err)
	}
}

func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
		ResourceApiVersion:    corev3.ApiVersion_V3,
	}
}

func listener(tb testing.TB) *listenerv3.Listener {
	tb.Helper()

	return &listenerv3.Listener{Name: "orders", ApiListener: &listenerv3.ApiListener{ApiListener: packed(tb,
		&managerv3.HttpConnectionManager{
			RouteSpecifier: &managerv3.HttpConnectionManager_Rds{
				Rds: &managerv3.Rds{ConfigSource: ads(), RouteConfigName: "orders-routes"},
			},
			HttpFilters: []*managerv3.HttpFilter{{
				Name: "router", ConfigType: &managerv3.HttpFilter_TypedConfig{TypedConfig: packed(tb, &routerv3.Router{})},
			}},
		})}}
}

func routes() *routev3.RouteConfiguration {
	return &routev3.RouteConfiguration{Name: "orders-routes", VirtualHosts: []*routev3.VirtualHost{{
		Name: "orders", Domains: []string{"*"}, Routes: []*routev3.Route{{
			Match: &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: ""}},
			Action: &routev3.Route_Route{Route: &routev3.RouteAction{
				ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: "orders"},
			}},
		}},
	}}}
}

func assignment(tb testing.TB, addresses []string) *endpointv3.ClusterLoadAssignment {
	tb.Helper()

	endpoints := make([]*endpointv3.LbEndpoint, 0, len(addresses))

	for _, address := range addresses {
		host, text, err := net.SplitHostPort(address)
		if err != nil {
			tb.Fatal(err)
		}

		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			tb.Fatal(err)
		}

		endpoints = append(endpoints, &endpointv3.LbEndpoint{HostIdentifier: &endpointv3.LbEndpoint_Endpoint{
			Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
				SocketAddress: &corev3.SocketAddress{
					Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
				},
			}}},
		}})
	}

	return &endpointv3.ClusterLoadAssignment{ClusterName: "orders", Endpoints: []*endpointv3.LocalityLbEndpoints{{
		Locality: &corev3.Locality{Zone: "here"}, LoadBalancingWeight: wrapperspb.UInt32(1), LbEndpoints: endpoints,
	}}}
}

func packed(tb testing.TB, message proto.Message) *anypb.Any {
	tb.Helper()

	wrapped, err := anypb.New(message)
	if err != nil {
		tb.Fatal(err)
	}

	return wrapped
}

// shop is an order service that tells its name.
type shop struct {
	orderv1.UnimplementedOrderServiceServer

	name string
}

func (s shop) GetOrder(context.Context, *orderv1.GetOrderRequest) (*orderv1.Order, error) {
	return &orderv1.Order{OrderId: s.name}, nil
}

func serveShop(tb testing.TB, name string) string {
	tb.Helper()

	return serveGRPC(tb, func(server *grpc.Server) { orderv1.RegisterOrderServiceServer(server, shop{name: name}) })
}

// startGateway serves orders, whose backends the control plane knows.
func startGateway(t *testing.T) *gatewaytest.Site {
	t.Helper()

	s := &gatewaytest.Site{Logs: &gatewaytest.LogBuffer{}}

	gw, err := gatewaytest.New(t.Context(), t, config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"order": {Target: "xds:///orders"}},
	}, bff.WithServices(gatewaytest.Service(t, "order.v1.OrderService")), bff.WithLogger(slog.New(slog.NewJSONHandler(s.Logs, nil))))
	if err != nil {
		t.Fatal(err)
	}

	s.Gateway, s.URL = gw, gatewaytest.Listen(t, gw)

	return s
}

// It is not parallel, because gRPC has one resolver for all of a process.
func TestXDSControlPlaneSaysWhereCallsGo(t *testing.T) { //nolint:paralleltest // See above.
	p := servePlane(t)
	a, b, c := serveShop(t, "a"), serveShop(t, "b"), serveShop(t, "c")

	p.says(t, a, b)

	// A program reads this from the file that GRPC_XDS_BOOTSTRAP names, when it starts.
	bootstrap := fmt.Sprintf(`{"xds_servers": [{"server_uri": %q, "channel_creds": [{"type": "insecure"}],
		"server_features": ["xds_v3"]}], "node": {"id": %q}}`, p.address, node)

	builder, err := xds.NewXDSResolverWithConfigForTesting([]byte(bootstrap))
	if err != nil {
		t.Fatal(err)
	}

	without := resolver.Get("xds")
	resolver.Register(builder)
	t.Cleanup(func() { resolver.Register(without) })

	s := startGateway(t)

	for _, step := range []struct {
		addresses []string
		want      string
	}{
		{[]string{a, b}, "ab"},
		{[]string{b, c}, "bc"},
		{[]string{c}, "c"},
		{[]string{a, b, c}, "abc"},
	} {
		p.says(t, step.addresses...)
		gatewaytest.Eventually(t, "calls to "+step.want, func() bool { return called(t, s) == step.want })
	}
}

// called returns the letters of the backends to which calls go, in order.
func called(t *testing.T, s *gatewaytest.Site) string {
	t.Helper()

	by := map[string]bool{}

	for range 12 {
		res := s.Do(t, http.MethodGet, "/v1/orders/o1", nil, "")

		var order struct{ OrderID string }
		if err := json.Unmarshal([]byte(res.Body), &order); err != nil || res.Status != http.StatusOK {
			t.Fatalf("%d %s", res.Status, res.Body)
		}

		by[order.OrderID] = true
	}

	return strings.Join(slices.Sorted(maps.Keys(by)), "")
}

// The gateway starts nevertheless, as with every backend that cannot be found.
func TestXDSControlPlaneThatNobodyNamed(t *testing.T) { //nolint:paralleltest // As the test above.
	s := startGateway(t)

	res := s.Do(t, http.MethodGet, "/v1/orders/o1", nil, "")
	if res.Status != http.StatusServiceUnavailable || res.Problem(t)["code"] != "UNAVAILABLE" {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	if !strings.Contains(s.Logs.String(), "bootstrap") {
		t.Errorf("the log does not say why: %s", s.Logs)
	}
}
