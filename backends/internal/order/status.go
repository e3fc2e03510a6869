package order

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/notify"
	"github.com/portico-gateway/portico/backends/internal/outbox"
	"github.com/portico-gateway/portico/backends/internal/repeat"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// cancelledTopic carries the ids of orders that are cancelled.
const cancelledTopic = "order-cancelled"

// CancelOrder cancels an order that has not been shipped. The payment service gives back what was paid for it, and takes nothing
// more. It is told whatever the status was: a payment may be on its way.
func (s *Service) CancelOrder(ctx context.Context, req *orderv1.CancelOrderRequest) (*orderv1.Order, error) {
	o, err := repeat.Once(ctx, s.db, req, load, func(tx *sql.Tx) (*orderv1.Order, string, error) {
		o, err := find(ctx, tx, req.GetOrderId())
		if err != nil {
			return nil, "", err
		}

		switch o.GetStatus() {
		case cancelled:
			return nil, "", fault.FailedPrecondition("the order is cancelled already")
		case shipped, delivered:
			return nil, "", fault.FailedPrecondition("the order cannot be cancelled: it was %s", statusText(o.GetStatus()))
		default:
		}

		if req.GetReason() != "" {
			o.CancelReason = new(req.GetReason())
		}

		if err := s.setStatus(ctx, tx, o, cancelled); err != nil {
			return nil, "", err
		}

		return o, o.GetOrderId(), s.box.Add(ctx, tx, cancelledTopic, []byte(o.GetOrderId()))
	})
	if err != nil {
		return nil, err
	}

	s.wake(o)

	return o, nil
}

// refundOrder delivers cancelledTopic. The payment service does nothing when it hears the same twice.
func refundOrder(payments paymentv1.PaymentServiceClient) outbox.Handler {
	self := caller.Service("order", "payments:settle")

	return func(ctx context.Context, m outbox.Message) error {
		req := &paymentv1.RefundOrderRequest{OrderId: string(m.Payload), Reason: "The order was cancelled."}
		if _, err := payments.RefundOrder(caller.Outgoing(ctx, self.WithRequestID(m.RequestID)), req); err != nil {
			return fmt.Errorf("refund order: %w", err)
		}

		return nil
	}
}

// MarkOrderPaid notes that an order is paid in full.
func (s *Service) MarkOrderPaid(ctx context.Context, req *orderv1.MarkOrderPaidRequest) (*orderv1.Order, error) {
	if err := caller.From(ctx).RequireScope(settleScope); err != nil {
		return nil, err
	}

	var o *orderv1.Order

	err := sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		if o, err = load(ctx, tx, req.GetOrderId()); err != nil {
			return err
		}

		switch o.GetStatus() {
		case paid, shipped, delivered:
			return nil
		case cancelled:
			return fault.FailedPrecondition("the order is cancelled")
		default:
			return s.setStatus(ctx, tx, o, paid)
		}
	})
	if err != nil {
		return nil, err
	}

	s.wake(o)

	return o, nil
}

// AddOrderPayment notes that a payment was made for an order, whatever its status is by now.
func (s *Service) AddOrderPayment(ctx context.Context, req *orderv1.AddOrderPaymentRequest) (*orderv1.Order, error) {
	if err := caller.From(ctx).RequireScope(settleScope); err != nil {
		return nil, err
	}

	var o *orderv1.Order

	err := sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		if o, err = load(ctx, tx, req.GetOrderId()); err != nil || slices.Contains(o.GetPaymentIds(), req.GetPaymentId()) {
			return err
		}

		o.PaymentIds = append(o.PaymentIds, req.GetPaymentId())

		return store(ctx, tx, o)
	})
	if err != nil {
		return nil, err
	}

	return o, nil
}

// setStatus gives an order another status and stores it, with a record for those who watch it and a notification for its user. Call
// wake after the commit.
func (s *Service) setStatus(ctx context.Context, tx *sql.Tx, o *orderv1.Order, status orderv1.OrderStatus) error {
	previous := o.GetStatus()
	o.Status = status

	if err := store(ctx, tx, o); err != nil {
		return err
	}

	return s.record(ctx, tx, o, previous)
}

// record notes the status that an order has now.
func (s *Service) record(ctx context.Context, tx *sql.Tx, o *orderv1.Order, previous orderv1.OrderStatus) error {
	if err := insertChange(ctx, tx, o, previous); err != nil {
		return err
	}

	return notify.Add(ctx, s.box, tx, &notificationv1.CreateNotificationRequest{
		UserId: o.GetUserId(),
		Kind:   notificationv1.NotificationKind_NOTIFICATION_KIND_ORDER,
		Title:  notificationTitle(o),
		Body:   notificationBody(o),
		Data:   map[string]string{"order_id": o.GetOrderId(), "status": o.GetStatus().String()},
	})
}

// wake lets those who watch an order, and the outbox, look for what is new.
func (s *Service) wake(o *orderv1.Order) {
	s.watches.wake(o.GetOrderId())
	s.box.Wake()
}
