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

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/ident"
	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/notify"
	"github.com/portico-gateway/portico/backends/internal/outbox"
	"github.com/portico-gateway/portico/backends/internal/repeat"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// Migrations make the database that New needs.
//
//go:embed migrations/*.sql
var Migrations embed.FS

const (
	adminScope  = "payments:admin"
	settleScope = "payments:settle"
)

// maxPayments is how many payments an order can have, so that the order, which names them, has a bound.
const maxPayments = 100

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
			paymentTopic: addToOrder(db, client),
			settledTopic: settleOrder(client),
		}),
	}
}

// Run delivers notifications and tells the order service of payments and of what is paid, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	s.box.Run(ctx)
}

// CreatePayment pays for an order, at most what is still open of its total. Made again with the same request_id, it answers with
// the payment that is there.
func (s *Service) CreatePayment(ctx context.Context, req *paymentv1.CreatePaymentRequest) (*paymentv1.Payment, error) {
	if err := checkAmount(req.GetAmount()); err != nil {
		return nil, err
	}

	if err := checkSource(req); err != nil {
		return nil, err
	}

	named := withoutToken(req)

	// The order need not be payable any more.
	if p, found, err := repeat.Earlier(ctx, s.db, named, load); err != nil || found {
		return p, err
	}

	o, err := s.payableOrder(ctx, req.GetOrderId())
	if err != nil {
		return nil, err
	}

	if err := checkCurrency(req.GetAmount(), o.GetTotal().GetCurrencyCode()); err != nil {
		return nil, err
	}

	p, err := repeat.Once(ctx, s.db, named, load, func(tx *sql.Tx) (*paymentv1.Payment, string, error) {
		p := newPayment(req, o)

		return p, p.GetPaymentId(), s.capture(ctx, tx, p, o)
	})
	if err != nil {
		return nil, err
	}

	s.box.Wake()

	return p, nil
}

func newPayment(req *paymentv1.CreatePaymentRequest, o *orderv1.Order) *paymentv1.Payment {
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

	return p
}

// capture stores a payment unless it exceeds what is open, or the order was cancelled after it was looked at. The transaction holds
// the write lock, so that payments and refunds made at the same time see each other.
func (s *Service) capture(ctx context.Context, tx *sql.Tx, p *paymentv1.Payment, o *orderv1.Order) error {
	switch closed, err := isClosed(ctx, tx, o.GetOrderId()); {
	case err != nil:
		return err
	case closed:
		return fault.FailedPrecondition("the order cannot be paid: it is cancelled")
	}

	switch made, err := countForOrder(ctx, tx, o.GetOrderId()); {
	case err != nil:
		return err
	case made >= maxPayments:
		return fault.FailedPrecondition("the order cannot be paid: it has %d payments, and no more are possible", made)
	}

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

	if err := s.addPayment(ctx, tx, p.GetPaymentId()); err != nil {
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

// BatchGetPayments reads several payments: all of them, or none.
func (s *Service) BatchGetPayments(
	ctx context.Context, req *paymentv1.BatchGetPaymentsRequest,
) (*paymentv1.BatchGetPaymentsResponse, error) {
	payments, err := findAll(ctx, s.db, req.GetPaymentIds())
	if err != nil {
		return nil, err
	}

	return &paymentv1.BatchGetPaymentsResponse{Payments: payments}, nil
}
