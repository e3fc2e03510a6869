package backends_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/backends"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Seeded orders.
const (
	aliceDelivered = "ord_01kgn4v2c8q3r7m5x9d0w6t1ba"
	aliceCancelled = "ord_01khf9s7d4n2p8k6v3c5z0y1ea"
	aliceShipped   = "ord_01kj2wq5m7t9r4b8x6h3g1f0ca"
	alicePending   = "ord_01kjr6z8v3d5k7n9p2s4w1m0xa"
	bobPending     = "ord_01kjkx4n2p7s9w5y3z8d6c0aeb"
)

const (
	pending   = orderv1.OrderStatus_ORDER_STATUS_PENDING
	paid      = orderv1.OrderStatus_ORDER_STATUS_PAID
	cancelled = orderv1.OrderStatus_ORDER_STATUS_CANCELLED
)

func tea() *orderv1.LineItem {
	return &orderv1.LineItem{Sku: "TEA", Title: "Tea", Quantity: 1, UnitPrice: euros(3, 0)}
}

func TestCreateOrder(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	created := must[*orderv1.Order](t)(w.orders.CreateOrder(as(t, "alice"), &orderv1.CreateOrderRequest{
		Items: []*orderv1.LineItem{
			{Sku: "A", Title: "A", Quantity: 3, UnitPrice: euros(0, 333_333_333), Attributes: map[string]string{"k": "v"}},
			{Sku: "B", Title: "B", Quantity: 2, UnitPrice: euros(1, 990_000_000)},
		},
		Note: new("n"), Labels: map[string]string{"a": "b"},
	}))

	if diff := cmp.Diff(euros(4, 979_999_999), created.GetTotal(), protocmp.Transform()); diff != "" {
		t.Errorf("total (-want +got):\n%s", diff)
	}

	if created.GetUserId() != "alice" || created.GetTotalQuantity() != 5 || created.GetStatus() != pending {
		t.Errorf("created %v", created)
	}

	read := must[*orderv1.Order](t)(w.orders.GetOrder(as(t, "alice"), &orderv1.GetOrderRequest{OrderId: created.GetOrderId()}))
	if diff := cmp.Diff(created, read, protocmp.Transform()); diff != "" {
		t.Errorf("stored otherwise (-created +read):\n%s", diff)
	}
}

func TestCreateOrderViolations(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	with := func(change func(item *orderv1.LineItem)) []*orderv1.LineItem {
		item := tea()
		change(item)

		return []*orderv1.LineItem{tea(), item}
	}

	tests := map[string]struct {
		items  []*orderv1.LineItem
		fields []string
	}{
		"none":           {nil, []string{"items"}},
		"too_many":       {slices.Repeat([]*orderv1.LineItem{tea()}, 101), []string{"items"}},
		"no_quantity":    {with(func(i *orderv1.LineItem) { i.Quantity = 0 }), []string{"items[1].quantity"}},
		"much":           {with(func(i *orderv1.LineItem) { i.Quantity = 1001 }), []string{"items[1].quantity"}},
		"two_at_once":    {with(func(i *orderv1.LineItem) { i.Sku, i.Title = "", "" }), []string{"items[1].sku", "items[1].title"}},
		"no_price":       {with(func(i *orderv1.LineItem) { i.UnitPrice = nil }), []string{"items[1].unit_price"}},
		"negative":       {with(func(i *orderv1.LineItem) { i.UnitPrice = euros(-1, 0) }), []string{"items[1].unit_price"}},
		"mixed_signs":    {with(func(i *orderv1.LineItem) { i.UnitPrice = euros(1, -1) }), []string{"items[1].unit_price"}},
		"two_currencies": {with(func(i *orderv1.LineItem) { i.UnitPrice.CurrencyCode = "USD" }), []string{"items[1].unit_price.currency_code"}},
		"overflow": {with(func(i *orderv1.LineItem) {
			i.UnitPrice, i.Quantity = euros(1<<62, 0), 1000
		}), []string{"items[1].unit_price"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := w.orders.CreateOrder(as(t, "alice"), &orderv1.CreateOrderRequest{Items: test.items})
			wantFields(t, err, test.fields...)
		})
	}
}

func TestOrderNeedsAnExistingUser(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	req := &orderv1.CreateOrderRequest{Items: []*orderv1.LineItem{tea()}}

	_, err := w.orders.CreateOrder(as(t, "ghost"), req)
	wantCode(t, err, codes.FailedPrecondition)

	for _, name := range []string{"user-1", "user-2"} {
		if err := w.fleet.StopInstance(name); err != nil {
			t.Fatal(err)
		}

		if name == "user-1" { // The other replica goes on.
			must[*orderv1.Order](t)(w.orders.CreateOrder(as(t, "alice"), req))
		}
	}

	_, err = w.orders.CreateOrder(as(t, "alice"), req)
	wantCode(t, err, codes.Unavailable)

	if !strings.HasSuffix(err.Error(), "user service is unavailable") {
		t.Errorf("the client is told %q", err)
	}
}

func TestOrderRights(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	get := func(subject, id string, scopes ...string) error {
		_, err := w.orders.GetOrder(as(t, subject, scopes...), &orderv1.GetOrderRequest{OrderId: id})

		return err
	}

	wantCode(t, get("bob", bobPending), codes.OK)
	wantCode(t, get("staff", bobPending, "orders:admin"), codes.OK)
	wantCode(t, get("alice", bobPending), codes.PermissionDenied)
	wantCode(t, get("alice", "ord_missing"), codes.NotFound)
	wantCode(t, get("", bobPending), codes.Unauthenticated)
	wantFields(t, get("alice", ""), "order_id")

	_, err := w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: bobPending})
	wantCode(t, err, codes.PermissionDenied)

	_, err = w.orders.ListOrders(as(t, "alice"), &orderv1.ListOrdersRequest{UserId: "bob"})
	wantCode(t, err, codes.PermissionDenied)

	_, err = w.orders.MarkOrderPaid(as(t, "bob", "orders:admin"), &orderv1.MarkOrderPaidRequest{OrderId: bobPending})
	wantCode(t, err, codes.PermissionDenied)

	forBob := &orderv1.CreateOrderRequest{UserId: "bob", Items: []*orderv1.LineItem{tea()}}
	_, err = w.orders.CreateOrder(as(t, "alice"), forBob)
	wantCode(t, err, codes.PermissionDenied)

	order := must[*orderv1.Order](t)(w.orders.CreateOrder(as(t, "staff", "orders:admin"), forBob))
	if order.GetUserId() != "bob" {
		t.Errorf("the order is %s's", order.GetUserId())
	}

	watch, err := w.orders.WatchOrder(as(t, "alice"), &orderv1.WatchOrderRequest{OrderId: bobPending})
	if err == nil {
		_, err = watch.Recv()
	}

	wantCode(t, err, codes.PermissionDenied)
}

func TestCancelOrder(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	cancel := func(id string) (*orderv1.Order, error) {
		return w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: id, Reason: "changed my mind"})
	}

	got := must[*orderv1.Order](t)(cancel(alicePending))
	if got.GetStatus() != cancelled || got.GetCancelReason() != "changed my mind" {
		t.Errorf("cancelled to %v", got)
	}

	for id, reason := range map[string]string{
		alicePending: "already", aliceCancelled: "already", aliceShipped: "shipped", aliceDelivered: "delivered",
	} {
		_, err := cancel(id)
		wantCode(t, err, codes.FailedPrecondition)

		if !strings.Contains(err.Error(), reason) {
			t.Errorf("%v does not say %q", err, reason)
		}
	}

	_, err := w.orders.MarkOrderPaid(as(t, "service:payment", "orders:settle"), &orderv1.MarkOrderPaidRequest{OrderId: alicePending})
	wantCode(t, err, codes.FailedPrecondition)

	// The reason was once looked at before the caller was.
	_, err = w.orders.CancelOrder(nobody(t), &orderv1.CancelOrderRequest{OrderId: bobPending, Reason: strings.Repeat("x", 501)})
	wantCode(t, err, codes.Unauthenticated)
}

func TestListOrders(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	list := func(req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
		req.UserId = "alice"

		return w.orders.ListOrders(as(t, "alice"), req)
	}

	first := must[*orderv1.ListOrdersResponse](t)(list(&orderv1.ListOrdersRequest{PageSize: 3}))
	second := must[*orderv1.ListOrdersResponse](t)(list(&orderv1.ListOrdersRequest{PageSize: 3, PageToken: first.GetNextPageToken()}))

	var ids []string
	for _, o := range append(first.GetOrders(), second.GetOrders()...) {
		ids = append(ids, o.GetOrderId())

		if len(o.GetItems()) == 0 || o.GetItems()[0].GetUnitPrice().GetCurrencyCode() != "EUR" {
			t.Errorf("items of %s are %v", o.GetOrderId(), o.GetItems())
		}
	}

	if diff := cmp.Diff([]string{alicePending, aliceShipped, aliceCancelled, aliceDelivered}, ids); diff != "" {
		t.Errorf("orders (-want +got):\n%s", diff)
	}

	if first.GetTotalSize() != 4 || second.GetNextPageToken() != "" {
		t.Errorf("total size %d, last token %q", first.GetTotalSize(), second.GetNextPageToken())
	}

	only := must[*orderv1.ListOrdersResponse](t)(list(&orderv1.ListOrdersRequest{Status: cancelled}))
	if len(only.GetOrders()) != 1 || only.GetTotalSize() != 1 {
		t.Errorf("%d of %d cancelled orders, want 1 of 1", len(only.GetOrders()), only.GetTotalSize())
	}

	_, err := list(&orderv1.ListOrdersRequest{PageToken: first.GetNextPageToken(), Status: pending})
	wantFields(t, err, "page_token")

	_, err = w.orders.ListOrders(as(t, "bob"), &orderv1.ListOrdersRequest{UserId: "bob", PageToken: first.GetNextPageToken()})
	wantFields(t, err, "page_token")

	_, err = list(&orderv1.ListOrdersRequest{PageSize: -1, Status: 99})
	wantFields(t, err, "page_size", "status")
}

// drain receives until the stream ends as it should.
func drain(t *testing.T, watch grpc.ServerStreamingClient[orderv1.WatchOrderResponse]) []*orderv1.WatchOrderResponse {
	t.Helper()

	var got []*orderv1.WatchOrderResponse

	for {
		resp, err := watch.Recv()
		if errors.Is(err, io.EOF) {
			return got
		}

		got = append(got, must[*orderv1.WatchOrderResponse](t)(resp, err))
	}
}

func TestWatchOrderSeesEveryChangeOnce(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId()
	watch := must[grpc.ServerStreamingClient[orderv1.WatchOrderResponse]](t)(
		w.orders.WatchOrder(as(t, "alice"), &orderv1.WatchOrderRequest{OrderId: id}))
	got := []*orderv1.WatchOrderResponse{must[*orderv1.WatchOrderResponse](t)(watch.Recv())}

	settle := as(t, "service:payment", "orders:settle")
	for range 2 { // The second time changes nothing.
		must[*orderv1.Order](t)(w.orders.MarkOrderPaid(settle, &orderv1.MarkOrderPaidRequest{OrderId: id}))
	}

	must[*orderv1.Order](t)(w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: id}))

	got = append(got, drain(t, watch)...)
	want := []*orderv1.WatchOrderResponse{
		{OrderId: id, Sequence: 1, Status: pending},
		{OrderId: id, Sequence: 2, Status: paid, PreviousStatus: pending},
		{OrderId: id, Sequence: 3, Status: cancelled, PreviousStatus: paid},
	}

	if diff := cmp.Diff(want, got, protocmp.Transform(), protocmp.IgnoreFields(want[0], "change_time")); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}

	late := must[grpc.ServerStreamingClient[orderv1.WatchOrderResponse]](t)(
		w.orders.WatchOrder(as(t, "alice"), &orderv1.WatchOrderRequest{OrderId: id}))
	if diff := cmp.Diff(want[2:], drain(t, late), protocmp.Transform(), protocmp.IgnoreFields(want[0], "change_time")); diff != "" {
		t.Errorf("of a finished order (-want +got):\n%s", diff)
	}
}

func TestWatchOrderGoesOn(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId()
	watch := func(after int64) grpc.ServerStreamingClient[orderv1.WatchOrderResponse] {
		return must[grpc.ServerStreamingClient[orderv1.WatchOrderResponse]](t)(
			w.orders.WatchOrder(as(t, "alice"), &orderv1.WatchOrderRequest{OrderId: id, AfterSequence: after}))
	}
	sequences := func(changes ...*orderv1.WatchOrderResponse) (got []int64) {
		for _, change := range changes {
			got = append(got, change.GetSequence())
		}

		return got
	}

	for _, after := range []int64{-1, 2} {
		_, err := watch(after).Recv()
		wantFields(t, err, "after_sequence")
	}

	must[*orderv1.Order](t)(w.orders.MarkOrderPaid(as(t, "service:payment", "orders:settle"),
		&orderv1.MarkOrderPaidRequest{OrderId: id}))

	missed, present, nothing := watch(1), watch(2), watch(0)
	got := map[string][]int64{
		"missed": sequences(must[*orderv1.WatchOrderResponse](t)(missed.Recv())),
		"fresh":  sequences(must[*orderv1.WatchOrderResponse](t)(nothing.Recv())),
	}

	must[*orderv1.Order](t)(w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: id}))

	got["missed"] = append(got["missed"], sequences(drain(t, missed)...)...)
	got["present"] = sequences(drain(t, present)...)
	got["fresh"] = append(got["fresh"], sequences(drain(t, nothing)...)...)
	// Of what is finished.
	got["late"] = sequences(drain(t, watch(1))...)
	got["over"] = sequences(drain(t, watch(3))...)

	want := map[string][]int64{"missed": {2, 3}, "present": {3}, "fresh": {2, 3}, "late": {2, 3}, "over": nil}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sequences (-want +got):\n%s", diff)
	}

	// Nobody learns from the sequence which orders exist.
	other := must[grpc.ServerStreamingClient[orderv1.WatchOrderResponse]](t)(
		w.orders.WatchOrder(as(t, "bob"), &orderv1.WatchOrderRequest{OrderId: id, AfterSequence: 99}))
	_, err := other.Recv()
	wantCode(t, err, codes.PermissionDenied)
}

func TestWatchOrderSeesChangesOfAnotherProcess(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	w := startWorld(t, dir)
	addresses := w.fleet.Addresses()
	other := startFleet(t, backends.Options{DataDir: dir, Instances: anyPort("order"), Upstreams: map[string]string{
		"user": "passthrough:///" + addresses["user"][0], "notification": "passthrough:///" + addresses["notification"][0],
		"payment": "passthrough:///" + addresses["payment"][0],
	}})

	watch := must[grpc.ServerStreamingClient[orderv1.WatchOrderResponse]](t)(
		orderv1.NewOrderServiceClient(dial(t, other, "order")).WatchOrder(as(t, "alice"), &orderv1.WatchOrderRequest{OrderId: alicePending}))
	must[*orderv1.WatchOrderResponse](t)(watch.Recv())
	must[*orderv1.Order](t)(w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: alicePending}))

	if got := drain(t, watch); len(got) != 1 || got[0].GetStatus() != cancelled {
		t.Errorf("the other process saw %v", got)
	}
}

func TestSeededOrdersAddUp(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	totals := map[string]*moneyv1.Money{aliceDelivered: euros(53, 800_000_000), aliceShipped: euros(146, 900_000_000)}

	for id, want := range totals {
		got := must[*orderv1.Order](t)(w.orders.GetOrder(as(t, "alice"), &orderv1.GetOrderRequest{OrderId: id}))
		if diff := cmp.Diff(want, got.GetTotal(), protocmp.Transform()); diff != "" {
			t.Errorf("total of %s (-want +got):\n%s", id, diff)
		}

		if len(id) != len("ord_")+26 {
			t.Errorf("the id %s is not like those that are made", id)
		}
	}
}
