// Package payment is the payment service: it takes payments for orders and gives them back.
//
// It talks to no bank: a payment is captured when it is stored. What an order costs and whose it is, it asks the order service.
package payment

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/ident"
	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/notify"
	"github.com/portico-gateway/portico/backends/internal/outbox"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// Migrations make the database that New needs.
//
//go:embed migrations/*.sql
var Migrations embed.FS

const adminScope = "payments:admin"

// Service implements paymentv1.PaymentServiceServer. It is safe for concurrent use, also by several servers.
type Service struct {
	paymentv1.UnimplementedPaymentServiceServer

	db     *sql.DB
	orders orderv1.OrderServiceClient
	box    *outbox.Outbox
}

// New builds the service over its database and its connections to the order and the notification service, which stay the caller's.
// Run delivers what it has to tell others.
func New(db *sql.DB, orders, notifications grpc.ClientConnInterface, logger *slog.Logger) *Service {
	client := orderv1.NewOrderServiceClient(orders)

	return &Service{
		db:     db,
		orders: client,
		box: outbox.New(db, logger, map[string]outbox.Handler{
			notify.Topic: notify.Handler(notifications, "payment"),
			settledTopic: settleOrder(client),
		}),
	}
}

// Run delivers notifications and tells the order service what is paid, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	s.box.Run(ctx)
}

// CreatePayment pays for an order, at most what is still open of its total. Made again with the same request_id, it answers with
// the payment that is there.
func (s *Service) CreatePayment(ctx context.Context, req *paymentv1.CreatePaymentRequest) (*paymentv1.Payment, error) {
	who := caller.From(ctx)
	if err := who.Authenticated(); err != nil {
		return nil, err
	}

	named := named(ctx, "CreatePayment", withoutToken(req))

	var v fault.Violations

	named.Check(&v)

	if checkCreate(&v, req); v.Err() != nil {
		return nil, v.Err()
	}

	// The order need not be payable any more.
	if p, err := repeated(ctx, s.db, named); err != nil || p != nil {
		return p, err
	}

	o, err := s.payableOrder(ctx, req.GetOrderId())
	if err != nil {
		return nil, err
	}

	if checkCurrency(&v, req.GetAmount(), o.GetTotal().GetCurrencyCode()); v.Err() != nil {
		return nil, v.Err()
	}

	now := sqlstore.Now()
	p := &paymentv1.Payment{
		PaymentId:      ident.New("pay"),
		OrderId:        o.GetOrderId(),
		UserId:         o.GetUserId(),
		Status:         paymentv1.PaymentStatus_PAYMENT_STATUS_CAPTURED,
		Method:         req.GetMethod(),
		Amount:         req.GetAmount(),
		RefundedAmount: money.Zero(req.GetAmount().GetCurrencyCode()),
		CreateTime:     now,
		UpdateTime:     now,
	}
	setSource(p, req)

	before, err := s.once(ctx, named, func(tx *sql.Tx) (string, error) { return p.GetPaymentId(), s.capture(ctx, tx, p, o) })
	if err != nil || before != nil {
		return before, err
	}

	return p, nil
}

// capture stores a payment unless it exceeds what is open. The transaction holds the write lock, so that payments made at the same
// time see each other.
func (s *Service) capture(ctx context.Context, tx *sql.Tx, p *paymentv1.Payment, o *orderv1.Order) error {
	already, err := sumForOrder(ctx, tx, o)
	if err != nil {
		return err
	}

	open, err := money.Sub(o.GetTotal(), already)
	if err != nil {
		return fmt.Errorf("work out what is open: %w", err)
	}

	rest, err := money.Sub(open, p.GetAmount())
	if err != nil {
		return fmt.Errorf("work out what stays open: %w", err)
	}

	if money.Sign(rest) < 0 {
		return fault.FailedPrecondition("the amount exceeds what is open of the order: %s", money.Format(open))
	}

	if err := insert(ctx, tx, p); err != nil {
		return err
	}

	if money.Sign(rest) == 0 {
		if err := s.addSettled(ctx, tx, o.GetOrderId()); err != nil {
			return err
		}
	}

	return s.addNotification(ctx, tx, p, "We got your payment", money.Format(p.GetAmount())+", thank you.")
}

// GetPayment reads one payment.
func (s *Service) GetPayment(ctx context.Context, req *paymentv1.GetPaymentRequest) (*paymentv1.Payment, error) {
	return find(ctx, s.db, req.GetPaymentId())
}

// RefundPayment gives back a part or the rest of a payment, once for each request_id.
func (s *Service) RefundPayment(ctx context.Context, req *paymentv1.RefundPaymentRequest) (*paymentv1.Payment, error) {
	if err := caller.From(ctx).Authenticated(); err != nil {
		return nil, err
	}

	named := named(ctx, "RefundPayment", req)

	var v fault.Violations

	named.Check(&v)

	if checkRefund(&v, req); v.Err() != nil {
		return nil, v.Err()
	}

	var p *paymentv1.Payment

	before, err := s.once(ctx, named, func(tx *sql.Tx) (_ string, err error) {
		p, err = s.refund(ctx, tx, req)

		return p.GetPaymentId(), err
	})
	if err != nil || before != nil {
		return before, err
	}

	return p, nil
}

// refund stores a refund and gives the payment with it.
func (s *Service) refund(ctx context.Context, tx *sql.Tx, req *paymentv1.RefundPaymentRequest) (*paymentv1.Payment, error) {
	p, err := find(ctx, tx, req.GetPaymentId())
	if err != nil {
		return nil, err
	}

	refund, err := nextRefund(p, req)
	if err != nil {
		return nil, err
	}

	if err := insertRefund(ctx, tx, p, refund); err != nil {
		return nil, err
	}

	if err := apply(p, refund); err != nil {
		return nil, err
	}

	text := money.Format(refund.GetAmount()) + " are on their way to you."

	return p, s.addNotification(ctx, tx, p, "You get money back", text)
}

// find loads a payment that the caller may see.
func find(ctx context.Context, db sqlstore.Queryer, paymentID string) (*paymentv1.Payment, error) {
	who := caller.From(ctx)
	if err := who.Authenticated(); err != nil {
		return nil, err
	}

	p, err := load(ctx, db, paymentID)
	if err != nil {
		return nil, err
	}

	if err := who.RequireOwner(p.GetUserId(), adminScope, "payment"); err != nil {
		return nil, err
	}

	return p, nil
}
