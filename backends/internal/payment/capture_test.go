package payment_test

import (
	"context"
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/payment"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// orders is a connection to an order service that says that an order can be paid, and has it cancelled right after.
type orders struct {
	grpc.ClientConnInterface

	total  *moneyv1.Money
	cancel func()
}

func (o *orders) Invoke(_ context.Context, _ string, _, reply any, _ ...grpc.CallOption) error {
	order, _ := reply.(*orderv1.Order)
	order.OrderId, order.UserId, order.Status = "ord_1", "alice", orderv1.OrderStatus_ORDER_STATUS_PENDING
	order.Total = o.total

	o.cancel()

	return nil
}

func as(t *testing.T, subject, scopes string) context.Context {
	t.Helper()

	return metadata.NewIncomingContext(t.Context(), metadata.Pairs(caller.SubjectKey, subject, caller.ScopesKey, scopes))
}

// Once, an order that was cancelled between the look at it and the capture was charged.
func TestOrderThatIsCancelledBeforeTheCapture(t *testing.T) {
	t.Parallel()

	migrations, err := fs.Sub(payment.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}

	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "payment.db"), migrations)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })

	peer := &orders{total: &moneyv1.Money{CurrencyCode: "EUR", Units: 5}, cancel: func() {}}
	s := payment.New(db, peer, peer, slog.New(slog.DiscardHandler))
	refundOrder := func() *paymentv1.RefundOrderResponse {
		resp, err := s.RefundOrder(as(t, "service:order", "payments:settle"), &paymentv1.RefundOrderRequest{OrderId: "ord_1"})
		if err != nil {
			t.Fatal(err)
		}

		return resp
	}
	peer.cancel = func() { refundOrder() }

	_, err = s.CreatePayment(as(t, "alice", ""), &paymentv1.CreatePaymentRequest{
		OrderId: "ord_1", Amount: peer.total, Method: paymentv1.PaymentMethod_PAYMENT_METHOD_CARD,
	})
	if got := fault.Status(err).Code(); got != codes.FailedPrecondition {
		t.Errorf("it was charged: %v", err)
	}

	if got := refundOrder().GetPayments(); len(got) != 0 {
		t.Errorf("it has the payments %v", got)
	}
}
