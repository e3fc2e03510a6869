package backends_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"

	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// Seeded payments of alice's order that was shipped, and one of bob.
const (
	aliceShippedPayment = "pay_01kj2wtz6c8e3g5j7n9r1s4vxa"
	aliceShippedRest    = "pay_01kj2wv4n8p1t3w6z9b2d5f7ha"
	bobPayment          = "pay_01kh7b6d2k4m8q1s5v7x9z3bfb"
)

func (w *world) paymentIDs(t *testing.T, id string) []string {
	t.Helper()

	return must[*orderv1.Order](t)(w.orders.GetOrder(as(t, "alice"), &orderv1.GetOrderRequest{OrderId: id})).GetPaymentIds()
}

func TestBatchGetPayments(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	ids := []string{aliceShippedRest, aliceDeliveredPayment, aliceShippedPayment, aliceDeliveredPayment}
	got := must[*paymentv1.BatchGetPaymentsResponse](t)(
		w.payments.BatchGetPayments(as(t, "alice"), &paymentv1.BatchGetPaymentsRequest{PaymentIds: ids}))

	want := &paymentv1.BatchGetPaymentsResponse{}

	for _, id := range ids {
		p := must[*paymentv1.Payment](t)(w.payments.GetPayment(as(t, "alice"), &paymentv1.GetPaymentRequest{PaymentId: id}))
		want.Payments = append(want.Payments, p)
	}

	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("not as one by one (-want +got):\n%s", diff)
	}

	if refunds := got.GetPayments()[1].GetRefunds(); len(refunds) != 1 {
		t.Errorf("refunds: %v", refunds)
	}
}

func TestBatchGetPaymentsIsAllOrNothing(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	get := func(subject string, scopes []string, ids ...string) error {
		_, err := w.payments.BatchGetPayments(as(t, subject, scopes...), &paymentv1.BatchGetPaymentsRequest{PaymentIds: ids})

		return err
	}

	wantCode(t, get("staff", []string{"payments:admin"}, aliceShippedPayment, bobPayment), codes.OK)
	wantCode(t, get("alice", nil, aliceShippedPayment, bobPayment), codes.PermissionDenied)
	wantCode(t, get("", nil, aliceShippedPayment), codes.Unauthenticated)

	err := get("alice", nil, aliceShippedPayment, "pay_missing", "pay_missing_too", bobPayment)
	wantCode(t, err, codes.NotFound)

	if !strings.Contains(err.Error(), `"pay_missing"`) {
		t.Errorf("%v does not name the first that is missing", err)
	}

	wantFields(t, get("alice", nil), "payment_ids")
	wantFields(t, get("alice", nil, slices.Repeat([]string{aliceShippedPayment}, 101)...), "payment_ids")
	wantFields(t, get("alice", nil, aliceShippedPayment, ""), "payment_ids[1]")
	wantCode(t, get("alice", nil, slices.Repeat([]string{aliceShippedPayment}, 100)...), codes.OK)
}

func TestOrderNamesItsPayments(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	if got := w.paymentIDs(t, aliceShipped); !slices.Equal(got, []string{aliceShippedPayment, aliceShippedRest}) {
		t.Errorf("seeded: %q", got)
	}

	id := w.placeOrder(t).GetOrderId()
	first := must[*paymentv1.Payment](t)(w.pay(t, id, euros(4, 0))).GetPaymentId()

	eventually(t, "the order names its payment", func() bool { return slices.Equal(w.paymentIDs(t, id), []string{first}) })

	second := must[*paymentv1.Payment](t)(w.pay(t, id, euros(6, 0))).GetPaymentId()

	eventually(t, "the order names both", func() bool { return slices.Equal(w.paymentIDs(t, id), []string{first, second}) })
	eventually(t, "the order is paid", func() bool { return w.orderStatus(t, id) == paid })

	add := func(subject, scope, orderID, paymentID string) (*orderv1.Order, error) {
		return w.orders.AddOrderPayment(as(t, subject, scope), &orderv1.AddOrderPaymentRequest{OrderId: orderID, PaymentId: paymentID})
	}
	before := must[*orderv1.Order](t)(w.orders.GetOrder(as(t, "alice"), &orderv1.GetOrderRequest{OrderId: id}))

	again := must[*orderv1.Order](t)(add("service:payment", "orders:settle", id, first))
	if diff := cmp.Diff(before, again, protocmp.Transform()); diff != "" {
		t.Errorf("adding a payment again changed the order:\n%s", diff)
	}

	_, err := add("alice", "orders:admin", id, "pay_1")
	wantCode(t, err, codes.PermissionDenied)

	_, err = add("service:payment", "orders:settle", "ord_missing", "pay_1")
	wantCode(t, err, codes.NotFound)

	_, err = add("service:payment", "orders:settle", "", "")
	wantFields(t, err, "order_id", "payment_id")
}

// An order names its payments, so their number has a bound.
func TestOrderHasAtMost100Payments(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId()

	for range 100 {
		must[*paymentv1.Payment](t)(w.pay(t, id, euros(0, 10_000_000)))
	}

	_, err := w.pay(t, id, euros(0, 10_000_000))
	wantCode(t, err, codes.FailedPrecondition)
	eventually(t, "the order names all of them", func() bool { return len(w.paymentIDs(t, id)) == 100 })
}
