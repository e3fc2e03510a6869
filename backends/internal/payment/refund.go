package payment

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/repeat"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// RefundPayment gives back a part or the rest of a payment, once for each request_id.
func (s *Service) RefundPayment(ctx context.Context, req *paymentv1.RefundPaymentRequest) (*paymentv1.Payment, error) {
	if req.GetAmount() != nil {
		if err := checkAmount(req.GetAmount()); err != nil {
			return nil, err
		}
	}

	p, err := repeat.Once(ctx, s.db, req, load, func(tx *sql.Tx) (*paymentv1.Payment, string, error) {
		p, err := find(ctx, tx, req.GetPaymentId())
		if err != nil {
			return nil, "", err
		}

		return p, p.GetPaymentId(), s.refund(ctx, tx, p, req)
	})
	if err != nil {
		return nil, err
	}

	s.box.Wake()

	return p, nil
}

// RefundOrder gives back all that was paid for an order and lets nothing more be paid for it.
func (s *Service) RefundOrder(ctx context.Context, req *paymentv1.RefundOrderRequest) (*paymentv1.RefundOrderResponse, error) {
	if err := caller.From(ctx).RequireScope(settleScope); err != nil {
		return nil, err
	}

	resp := &paymentv1.RefundOrderResponse{}

	err := sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		if err := closeOrder(ctx, tx, req.GetOrderId()); err != nil {
			return err
		}

		if resp.Payments, err = list(ctx, tx, `order_id = ?`, req.GetOrderId()); err != nil {
			return err
		}

		for _, p := range resp.GetPayments() {
			if p.GetStatus() == paymentv1.PaymentStatus_PAYMENT_STATUS_REFUNDED {
				continue
			}

			if err := s.refund(ctx, tx, p, &paymentv1.RefundPaymentRequest{Reason: req.GetReason()}); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return nil, err
	}

	s.box.Wake()

	return resp, nil
}

// refund stores what a request asks to give back of a payment, and adds it to the payment.
func (s *Service) refund(ctx context.Context, tx *sql.Tx, p *paymentv1.Payment, req *paymentv1.RefundPaymentRequest) error {
	refund, err := nextRefund(p, req)
	if err != nil {
		return err
	}

	if err := insertRefund(ctx, tx, p, refund); err != nil {
		return err
	}

	if err := apply(p, refund); err != nil {
		return err
	}

	text := money.Format(refund.GetAmount()) + " are on their way to you."

	return s.addNotification(ctx, tx, p, "You get money back", text)
}

func checkAmount(amount *moneyv1.Money) error {
	var v fault.Violations
	if money.IsNegative(amount) || money.Sign(amount) == 0 {
		v.Addf("amount", "must be more than 0")
	}

	return v.Err()
}

func checkCurrency(amount *moneyv1.Money, currency string) error {
	var v fault.Violations
	if amount.GetCurrencyCode() != currency {
		v.Addf("amount.currency_code", "must be %s", currency)
	}

	return v.Err()
}

// nextRefund works out what a request asks to give back of a payment.
func nextRefund(p *paymentv1.Payment, req *paymentv1.RefundPaymentRequest) (*paymentv1.Refund, error) {
	left, err := money.Sub(p.GetAmount(), p.GetRefundedAmount())
	if err != nil {
		return nil, fmt.Errorf("work out what is left: %w", err)
	}

	if money.Sign(left) <= 0 {
		return nil, fault.FailedPrecondition("the payment is refunded in full already")
	}

	amount := req.GetAmount()
	if amount == nil {
		amount = left
	}

	if err := checkCurrency(amount, left.GetCurrencyCode()); err != nil {
		return nil, err
	}

	order, err := money.Compare(amount, left)
	if err != nil {
		return nil, fmt.Errorf("compare with what is left: %w", err)
	}

	if order > 0 {
		return nil, fault.FailedPrecondition("the amount exceeds what is left to refund: %s", money.Format(left))
	}

	return &paymentv1.Refund{Amount: amount, Reason: req.GetReason(), CreateTime: sqlstore.Now()}, nil
}

// apply adds a refund to a payment. The status follows from the refunds.
func apply(p *paymentv1.Payment, refund *paymentv1.Refund) error {
	refunded, err := money.Add(p.GetRefundedAmount(), refund.GetAmount())
	if err != nil {
		return fmt.Errorf("add up refunds: %w", err)
	}

	left, err := money.Compare(refunded, p.GetAmount())
	if err != nil {
		return fmt.Errorf("compare refunds: %w", err)
	}

	p.Refunds = append(p.Refunds, refund)
	p.RefundedAmount = refunded
	p.UpdateTime = refund.GetCreateTime()
	p.Status = paymentv1.PaymentStatus_PAYMENT_STATUS_PARTIALLY_REFUNDED

	if left >= 0 {
		p.Status = paymentv1.PaymentStatus_PAYMENT_STATUS_REFUNDED
	}

	return nil
}
