package payment

import (
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

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

	var v fault.Violations
	if checkCurrency(&v, amount, left.GetCurrencyCode()); v.Err() != nil {
		return nil, v.Err()
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
