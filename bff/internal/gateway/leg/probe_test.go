package leg_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// noConn fails the test if it is called.
type noConn struct{ t *testing.T }

func (c noConn) Invoke(_ context.Context, method string, _, _ any, _ ...grpc.CallOption) error {
	c.t.Errorf("%s was called", method)
	return nil
}

func (c noConn) NewStream(_ context.Context, _ *grpc.StreamDesc, method string, _ ...grpc.CallOption) (grpc.ClientStream, error) {
	c.t.Errorf("%s was opened", method)
	return nil, io.EOF
}

func TestProbe(t *testing.T) {
	t.Parallel()

	client := orderv1.NewOrderServiceClient(leg.Conn(noConn{t}, []grpc.UnaryClientInterceptor{leg.ProbeUnary("order")},
		[]grpc.StreamClientInterceptor{leg.ProbeStream("order")}))

	run := &leg.Probe{Down: orderv1.OrderService_CancelOrder_FullMethodName}
	ctx := reqinfo.NewContext(t.Context(), &reqinfo.Record{Values: run})

	request := &orderv1.GetOrderRequest{OrderId: "a"}
	if order, err := client.GetOrder(ctx, request); err != nil || !proto.Equal(order, &orderv1.Order{}) {
		t.Errorf("%v %v", order, err)
	}

	request.OrderId = "b"
	if _, err := client.GetOrder(ctx, request); err != nil {
		t.Error(err)
	}

	if _, err := client.CancelOrder(ctx, &orderv1.CancelOrderRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}

	stream, err := client.WatchOrder(ctx, &orderv1.WatchOrderRequest{OrderId: "c"})
	if err != nil {
		t.Fatal(err)
	}

	if m, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("%v %v", m, err)
	}

	var got []string
	for _, call := range run.Calls() {
		got = append(got, call.Upstream+call.RPC)

		for _, request := range call.Requests {
			got = append(got, request.(interface{ GetOrderId() string }).GetOrderId())
		}
	}

	want := []string{
		"order/order.v1.OrderService/CancelOrder", "", "order/order.v1.OrderService/GetOrder", "a", "b",
		"order/order.v1.OrderService/WatchOrder", "c",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a caller may not do is told for each requirement, not only for the first.
func TestExplain(t *testing.T) {
	t.Parallel()

	c := guard(t, `access: {scopes: {any_of: "a"} owner: {variable: "user_id"} condition: "request.count < 5"}`, nil)

	for name, row := range map[string]struct {
		as       reqinfo.Principal
		requests []proto.Message
		want     string
	}{
		"all":     {alice("a"), []proto.Message{c.thing("alice", 1)}, "+authenticated +any of a +owner user_id +if request.count < 5"},
		"none":    {reqinfo.Principal{}, []proto.Message{c.thing("bob", 9)}, "-authenticated -any of a -owner user_id -if request.count < 5"},
		"one_of":  {alice("a"), []proto.Message{c.thing("alice", 1), c.thing("bob", 1)}, "+authenticated +any of a -owner user_id +if request.count < 5"},
		"unknown": {alice("a"), []proto.Message{c.thing("", 1)}, "+authenticated +any of a ?owner user_id +if request.count < 5"},
	} {
		var got string

		for _, check := range c.Explain(t.Context(), &reqinfo.Record{Principal: row.as}, methodM, row.requests) {
			sign := " +"

			switch {
			case check.Unknown:
				sign = " ?"
			case check.Fault != nil:
				sign = " -"
			}

			got += sign + check.Name
		}

		if diff := cmp.Diff(row.want, got[1:]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
