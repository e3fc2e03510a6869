package probe_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/gateway/leg/probe"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// in returns a context of a run.
func in(t *testing.T, run *probe.Run) context.Context {
	t.Helper()

	return reqinfo.NewContext(t.Context(), &reqinfo.Record{Values: run})
}

func TestCallsAreRecorded(t *testing.T) {
	t.Parallel()

	client := orderv1.NewOrderServiceClient(probe.Conn("order"))
	run := &probe.Run{Down: orderv1.OrderService_CancelOrder_FullMethodName, Replies: probe.Empty}
	ctx := in(t, run)

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

func TestNothingIsCalledOutsideOfARun(t *testing.T) {
	t.Parallel()

	client := orderv1.NewOrderServiceClient(probe.Conn("order"))

	if _, err := client.GetOrder(t.Context(), &orderv1.GetOrderRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}

	if _, err := client.WatchOrder(t.Context(), &orderv1.WatchOrderRequest{}); status.Code(err) != codes.Unavailable {
		t.Errorf("%v", err)
	}
}

func TestReplies(t *testing.T) {
	t.Parallel()

	get := func(run *probe.Run) *paymentv1.Payment {
		payment, err := paymentv1.NewPaymentServiceClient(probe.Conn("payment")).GetPayment(in(t, run),
			&paymentv1.GetPaymentRequest{PaymentId: "p1"})
		if err != nil {
			t.Fatal(err)
		}

		return payment
	}

	for _, row := range []struct {
		name   string
		got    *paymentv1.Payment
		ids    [3]string
		status paymentv1.PaymentStatus
		source string
	}{
		{
			"made", get(&probe.Run{Replies: probe.Made}),
			[3]string{"made-up-value", "made-up-value", "made-up-value"},
			1, "card",
		},
		{
			"plausible", get(&probe.Run{Replies: probe.Plausible, Subject: "alice", Request: &orderv1.GetOrderRequest{OrderId: "o1"}}),
			[3]string{"p1", "o1", "alice"},
			paymentv1.PaymentStatus(len(paymentv1.PaymentStatus_name) - 1), "wallet",
		},
	} {
		p, m := row.got, row.got.ProtoReflect()
		if ids := [3]string{p.GetPaymentId(), p.GetOrderId(), p.GetUserId()}; ids != row.ids || p.GetStatus() != row.status {
			t.Errorf("%s: %v", row.name, p)
		}

		if source := m.WhichOneof(m.Descriptor().Oneofs().ByName("source")); source.TextName() != row.source {
			t.Errorf("%s: %s", row.name, source)
		}

		if p.GetAmount().GetUnits() != 1 || len(p.GetRefunds()) != 1 || p.GetRefunds()[0].GetReason() == "" || !p.GetCreateTime().IsValid() {
			t.Errorf("%s: %v", row.name, p)
		}
	}
}

// Once, calls for more pages would have had no end.
func TestPagesEnd(t *testing.T) {
	t.Parallel()

	run := &probe.Run{}
	client := orderv1.NewOrderServiceClient(probe.Conn("order"))

	list, err := client.ListOrders(in(t, run), &orderv1.ListOrdersRequest{})
	if err != nil || len(list.GetOrders()) != 1 || list.GetNextPageToken() != "" {
		t.Errorf("%v, %v", list, err)
	}

	calls := 0

	// A composite that reads on for as long as there is something.
	for ; ; calls++ {
		list, err = client.ListOrders(in(t, run), &orderv1.ListOrdersRequest{})
		if err != nil {
			t.Fatal(err)
		}

		if len(list.GetOrders()) == 0 {
			break
		}
	}

	// One that does not end.
	for err == nil && calls < 1e6 {
		_, err = client.ListOrders(in(t, run), &orderv1.ListOrdersRequest{})
		calls++
	}

	if status.Code(err) != codes.ResourceExhausted || calls > 1000 || len(run.Calls()[0].Requests) > 100 {
		t.Errorf("%d calls: %v", calls, err)
	}
}
