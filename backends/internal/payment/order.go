package payment

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/notify"
	"github.com/portico-gateway/portico/backends/internal/outbox"
	"github.com/portico-gateway/portico/backends/internal/peer"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// paymentTopic carries the ids of new payments.
const paymentTopic = "order-payment"

// settledTopic carries the ids of orders that are paid in full.
const settledTopic = "order-settled"

// payableOrder asks the order service for an order that the caller may pay. It asks in the name of the caller, unless the
// caller has the right to pay for anyone: that right was given for payments and need not include orders, so the service asks
// for itself.
func (s *Service) payableOrder(ctx context.Context, orderID string) (*orderv1.Order, error) {
	who := caller.From(ctx)

	asking := who
	if who.HasScope(adminScope) {
		asking = caller.Service("payment", "orders:admin").WithRequestID(who.RequestID)
	}

	ask, cancel := context.WithTimeout(caller.Outgoing(ctx, asking), peer.Timeout)
	defer cancel()

	o, err := s.orders.GetOrder(ask, &orderv1.GetOrderRequest{OrderId: orderID})
	switch status.Code(err) {
	case codes.OK:
	case codes.NotFound:
		return nil, fault.NotFound("order %q does not exist", orderID)
	case codes.PermissionDenied:
		return nil, fault.PermissionDenied("you may not access this order")
	default:
		return nil, peer.Failure(ctx, "order", err)
	}

	// Who may see an order need not be allowed to pay it.
	if err := who.RequireOwner(o.GetUserId(), adminScope, "order"); err != nil {
		return nil, err
	}

	if o.GetStatus() != orderv1.OrderStatus_ORDER_STATUS_PENDING {
		state := strings.ToLower(strings.TrimPrefix(o.GetStatus().String(), "ORDER_STATUS_"))

		return nil, fault.FailedPrecondition("the order cannot be paid: it is %s", state)
	}

	return o, nil
}

func (s *Service) addPayment(ctx context.Context, tx *sql.Tx, paymentID string) error {
	if err := s.box.Add(ctx, tx, paymentTopic, []byte(paymentID)); err != nil {
		return fmt.Errorf("add payment of order: %w", err)
	}

	return nil
}

// addToOrder delivers paymentTopic. The order service does nothing when it hears the same twice.
func addToOrder(db *sql.DB, orders orderv1.OrderServiceClient) outbox.Handler {
	self := caller.Service("payment", "orders:settle")

	return func(ctx context.Context, m outbox.Message) error {
		p, err := load(ctx, db, string(m.Payload))
		if err != nil {
			return err
		}

		req := &orderv1.AddOrderPaymentRequest{OrderId: p.GetOrderId(), PaymentId: p.GetPaymentId()}
		if _, err := orders.AddOrderPayment(caller.Outgoing(ctx, self.WithRequestID(m.RequestID)), req); err != nil {
			return fmt.Errorf("add payment to order: %w", err)
		}

		return nil
	}
}

func (s *Service) addSettled(ctx context.Context, tx *sql.Tx, orderID string) error {
	if err := s.box.Add(ctx, tx, settledTopic, []byte(orderID)); err != nil {
		return fmt.Errorf("add settled order: %w", err)
	}

	return nil
}

// settleOrder delivers settledTopic. The order service does nothing when it hears the same twice. An order that was cancelled
// meanwhile stays so: RefundOrder gives back what was paid for it.
func settleOrder(orders orderv1.OrderServiceClient) outbox.Handler {
	self := caller.Service("payment", "orders:settle")

	return func(ctx context.Context, m outbox.Message) error {
		req := &orderv1.MarkOrderPaidRequest{OrderId: string(m.Payload)}

		_, err := orders.MarkOrderPaid(caller.Outgoing(ctx, self.WithRequestID(m.RequestID)), req)
		if err != nil && status.Code(err) != codes.FailedPrecondition {
			return fmt.Errorf("mark order paid: %w", err)
		}

		return nil
	}
}

func (s *Service) addNotification(ctx context.Context, tx *sql.Tx, p *paymentv1.Payment, title, body string) error {
	return notify.Add(ctx, s.box, tx, &notificationv1.CreateNotificationRequest{
		UserId: p.GetUserId(),
		Kind:   notificationv1.NotificationKind_NOTIFICATION_KIND_PAYMENT,
		Title:  title,
		Body:   body,
		Data:   map[string]string{"order_id": p.GetOrderId(), "payment_id": p.GetPaymentId()},
	})
}
