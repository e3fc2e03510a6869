package backends_test

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// aliceDeliveredPayment is seeded, over 53.80 EUR with 14.90 EUR given back.
const aliceDeliveredPayment = "pay_01kgn50w4b7d9f2h6k8m3p1qra"

const card = paymentv1.PaymentMethod_PAYMENT_METHOD_CARD

func (w *world) pay(t *testing.T, orderID string, amount *moneyv1.Money) (*paymentv1.Payment, error) {
	t.Helper()

	return w.payments.CreatePayment(as(t, "alice"), &paymentv1.CreatePaymentRequest{OrderId: orderID, Amount: amount, Method: card})
}

func (w *world) orderStatus(t *testing.T, id string) orderv1.OrderStatus {
	t.Helper()

	return must[*orderv1.Order](t)(w.orders.GetOrder(as(t, "alice"), &orderv1.GetOrderRequest{OrderId: id})).GetStatus()
}

func TestPayInPartsUntilPaid(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId()

	first := must[*paymentv1.Payment](t)(w.pay(t, id, euros(4, 0)))
	read := must[*paymentv1.Payment](t)(w.payments.GetPayment(as(t, "alice"), &paymentv1.GetPaymentRequest{PaymentId: first.GetPaymentId()}))

	if diff := cmp.Diff(first, read, protocmp.Transform()); diff != "" {
		t.Errorf("stored otherwise (-created +read):\n%s", diff)
	}

	_, err := w.pay(t, id, euros(6, 1))
	wantCode(t, err, codes.FailedPrecondition)

	if !strings.Contains(err.Error(), "6.00 EUR") {
		t.Errorf("%v does not say what is open", err)
	}

	must[*paymentv1.Payment](t)(w.pay(t, id, euros(6, 0)))
	eventually(t, "the order is paid", func() bool { return w.orderStatus(t, id) == paid })
	eventually(t, "alice is told", func() bool { return len(w.notified(t, "alice", id)) == 4 })

	kinds := make(map[notificationv1.NotificationKind]int)
	for _, n := range w.notified(t, "alice", id) {
		kinds[n.GetKind()]++
	}

	want := map[notificationv1.NotificationKind]int{
		notificationv1.NotificationKind_NOTIFICATION_KIND_ORDER:   2, // Placed and paid.
		notificationv1.NotificationKind_NOTIFICATION_KIND_PAYMENT: 2,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("notifications (-want +got):\n%s", diff)
	}

	_, err = w.pay(t, id, euros(1, 0))
	wantCode(t, err, codes.FailedPrecondition)
}

func TestPaymentViolations(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId()

	_, err := w.payments.CreatePayment(as(t, "alice"), &paymentv1.CreatePaymentRequest{})
	wantFields(t, err, "order_id", "amount", "method")

	_, err = w.pay(t, id, euros(0, 0))
	wantFields(t, err, "amount")

	_, err = w.pay(t, id, &moneyv1.Money{CurrencyCode: "eur", Units: 1})
	wantFields(t, err, "amount.currency_code")

	_, err = w.pay(t, id, &moneyv1.Money{CurrencyCode: "USD", Units: 1})
	wantFields(t, err, "amount.currency_code")

	_, err = w.pay(t, "ord_missing", euros(1, 0))
	wantCode(t, err, codes.NotFound)

	_, err = w.pay(t, aliceCancelled, euros(1, 0))
	wantCode(t, err, codes.FailedPrecondition)

	if err := w.fleet.StopInstance("order"); err != nil {
		t.Fatal(err)
	}

	_, err = w.pay(t, id, euros(1, 0))
	wantCode(t, err, codes.Unavailable)
}

func TestPaymentRights(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	pay := func(subject string, scopes ...string) error {
		_, err := w.payments.CreatePayment(as(t, subject, scopes...),
			&paymentv1.CreatePaymentRequest{OrderId: bobPending, Amount: euros(1, 0), Method: card})

		return err
	}
	get := func(subject, id string, scopes ...string) error {
		_, err := w.payments.GetPayment(as(t, subject, scopes...), &paymentv1.GetPaymentRequest{PaymentId: id})

		return err
	}

	wantCode(t, pay("bob"), codes.OK)
	wantCode(t, pay("staff", "payments:admin"), codes.OK)
	wantCode(t, pay("alice"), codes.PermissionDenied)
	wantCode(t, pay("staff", "orders:admin"), codes.PermissionDenied)
	wantCode(t, pay(""), codes.Unauthenticated)

	wantCode(t, get("alice", aliceDeliveredPayment), codes.OK)
	wantCode(t, get("staff", aliceDeliveredPayment, "payments:admin"), codes.OK)
	wantCode(t, get("bob", aliceDeliveredPayment), codes.PermissionDenied)
	wantCode(t, get("bob", "pay_missing"), codes.NotFound)

	_, err := w.payments.RefundPayment(as(t, "bob"), &paymentv1.RefundPaymentRequest{PaymentId: aliceDeliveredPayment})
	wantCode(t, err, codes.PermissionDenied)
}

// What was given back once counted as paid: the order became PAID with a part of its total, or could never be paid by other means.
func TestRefundedPartIsOpenAgain(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId() // 10 EUR

	first := must[*paymentv1.Payment](t)(w.pay(t, id, euros(4, 0)))
	must[*paymentv1.Payment](t)(w.payments.RefundPayment(as(t, "alice"),
		&paymentv1.RefundPaymentRequest{PaymentId: first.GetPaymentId(), Amount: euros(2, 500_000_000)}))

	_, err := w.pay(t, id, euros(8, 500_000_001))
	wantCode(t, err, codes.FailedPrecondition)

	if !strings.Contains(err.Error(), "8.50 EUR") {
		t.Errorf("%v does not say what is open", err)
	}

	must[*paymentv1.Payment](t)(w.pay(t, id, euros(8, 500_000_000)))
	eventually(t, "the order is paid", func() bool { return w.orderStatus(t, id) == paid })
}

func TestConcurrentPaymentsNeverExceedTheTotal(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId() // 10 EUR

	var (
		attempts sync.WaitGroup
		accepted atomic.Int64
	)

	for range 12 {
		attempts.Go(func() {
			switch _, err := w.pay(t, id, euros(3, 0)); status.Code(err) {
			case codes.OK:
				accepted.Add(1)
			case codes.FailedPrecondition:
			default:
				t.Errorf("pay: %v", err)
			}
		})
	}

	attempts.Wait()

	if got := accepted.Load(); got != 3 {
		t.Errorf("%d payments of 3 EUR were accepted for 10 EUR, want 3", got)
	}
}

func TestRefundPayment(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	refund := func(amount *moneyv1.Money) (*paymentv1.Payment, error) {
		return w.payments.RefundPayment(as(t, "alice"),
			&paymentv1.RefundPaymentRequest{PaymentId: aliceDeliveredPayment, Amount: amount, Reason: "r"})
	}

	_, err := refund(euros(38, 900_000_001))
	wantCode(t, err, codes.FailedPrecondition)

	if !strings.Contains(err.Error(), "38.90 EUR") {
		t.Errorf("%v does not say what is left", err)
	}

	_, err = refund(euros(0, 0))
	wantFields(t, err, "amount")

	_, err = refund(&moneyv1.Money{CurrencyCode: "USD", Units: 1})
	wantFields(t, err, "amount.currency_code")

	part := must[*paymentv1.Payment](t)(refund(euros(8, 900_000_000)))
	if part.GetStatus() != paymentv1.PaymentStatus_PAYMENT_STATUS_PARTIALLY_REFUNDED || len(part.GetRefunds()) != 2 {
		t.Errorf("after a part: %v", part)
	}

	must[*paymentv1.Payment](t)(refund(nil))

	got := must[*paymentv1.Payment](t)(w.payments.GetPayment(as(t, "alice"),
		&paymentv1.GetPaymentRequest{PaymentId: aliceDeliveredPayment}))
	if diff := cmp.Diff(euros(30, 0), got.GetRefunds()[2].GetAmount(), protocmp.Transform()); diff != "" {
		t.Errorf("the rest (-want +got):\n%s", diff)
	}

	if got.GetStatus() != paymentv1.PaymentStatus_PAYMENT_STATUS_REFUNDED || !proto.Equal(got.GetRefundedAmount(), got.GetAmount()) {
		t.Errorf("after the rest: %v", got)
	}

	_, err = refund(nil)
	wantCode(t, err, codes.FailedPrecondition)

	eventually(t, "alice is told of both", func() bool { return len(w.notified(t, "alice", aliceDelivered)) == 4 })
}
