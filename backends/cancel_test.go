package backends_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

func (w *world) payment(t *testing.T, subject, id string) *paymentv1.Payment {
	t.Helper()

	return must[*paymentv1.Payment](t)(w.payments.GetPayment(as(t, subject), &paymentv1.GetPaymentRequest{PaymentId: id}))
}

// Once, what was paid for a cancelled order stayed with the shop.
func TestCancelledOrderIsRefunded(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId() // 10 EUR

	paidInParts := []*paymentv1.Payment{
		must[*paymentv1.Payment](t)(w.pay(t, id, euros(4, 0))),
		must[*paymentv1.Payment](t)(w.pay(t, id, euros(6, 0))),
	}
	must[*paymentv1.Payment](t)(w.payments.RefundPayment(as(t, "alice"),
		&paymentv1.RefundPaymentRequest{PaymentId: paidInParts[0].GetPaymentId(), Amount: euros(1, 0)}))
	eventually(t, "the order is paid", func() bool { return w.orderStatus(t, id) == paid })
	must[*orderv1.Order](t)(w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: id}))

	for i, refunds := range []int{2, 1} {
		eventually(t, "all is given back", func() bool {
			p := w.payment(t, "alice", paidInParts[i].GetPaymentId())

			return proto.Equal(p.GetRefundedAmount(), p.GetAmount()) && len(p.GetRefunds()) == refunds
		})
	}

	// The message can arrive twice.
	again := must[*paymentv1.RefundOrderResponse](t)(w.payments.RefundOrder(as(t, "service:order", "payments:settle"),
		&paymentv1.RefundOrderRequest{OrderId: id}))
	if len(again.GetPayments()) != 2 || len(again.GetPayments()[1].GetRefunds()) != 1 {
		t.Errorf("refunded again: %v", again.GetPayments())
	}

	_, err := w.payments.RefundOrder(as(t, "alice", "payments:admin"), &paymentv1.RefundOrderRequest{OrderId: id})
	wantCode(t, err, codes.PermissionDenied)
}

// Payments that are on their way while an order is cancelled are either refused or given back, and never both or neither.
func TestPaymentsThatMeetACancellation(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId() // 10 EUR

	var (
		calls    sync.WaitGroup
		payments [8]*paymentv1.Payment
	)

	for i := range payments {
		calls.Go(func() {
			p, err := w.pay(t, id, euros(1, 0))
			// On a busy machine the order service may not answer in time.
			if err != nil && status.Code(err) != codes.FailedPrecondition && status.Code(err) != codes.Unavailable {
				t.Errorf("pay: %v", err)
			}

			payments[i] = p
		})
	}

	calls.Go(func() {
		if _, err := w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: id}); err != nil {
			t.Errorf("cancel: %v", err)
		}
	})
	calls.Wait()

	for _, made := range payments {
		if made != nil {
			eventually(t, "it is given back", func() bool {
				return w.payment(t, "alice", made.GetPaymentId()).GetStatus() == paymentv1.PaymentStatus_PAYMENT_STATUS_REFUNDED
			})

			if got := w.payment(t, "alice", made.GetPaymentId()).GetRefunds(); len(got) != 1 {
				t.Errorf("given back in %v", got)
			}
		}
	}
}

func TestCancelIsRepeatable(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	req := &orderv1.CancelOrderRequest{OrderId: alicePending, Reason: "r", RequestId: "r-1"}
	first := must[*orderv1.Order](t)(w.orders.CancelOrder(as(t, "alice"), req))
	again := must[*orderv1.Order](t)(w.orders.CancelOrder(as(t, "alice"), req))

	if diff := cmp.Diff(first, again, protocmp.Transform()); diff != "" {
		t.Errorf("the second answer differs:\n%s", diff)
	}

	req.RequestId = "r-2"
	_, err := w.orders.CancelOrder(as(t, "alice"), req)
	wantCode(t, err, codes.FailedPrecondition)
}
