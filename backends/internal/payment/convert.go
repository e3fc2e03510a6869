package payment

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// paymentColumns are in the order in which they are read and written.
const paymentColumns = `payment_id, order_id, user_id, method, currency, units, nanos, create_time, update_time, source`

// scanPayment gives a payment as it was before any refund.
func scanPayment(row sqlstore.Row) (*paymentv1.Payment, error) {
	var (
		p                = paymentv1.Payment{Status: paymentv1.PaymentStatus_PAYMENT_STATUS_CAPTURED, Amount: &moneyv1.Money{}}
		created, updated int64
		source           []byte
	)

	err := row.Scan(&p.PaymentId, &p.OrderId, &p.UserId, &p.Method, &p.Amount.CurrencyCode, &p.Amount.Units, &p.Amount.Nanos,
		&created, &updated, &source)
	if err != nil {
		return nil, fmt.Errorf("read payment: %w", err)
	}

	if err := unpackSource(&p, source); err != nil {
		return nil, err
	}

	p.RefundedAmount = money.Zero(p.GetAmount().GetCurrencyCode())
	p.CreateTime = sqlstore.Timestamp(created)
	p.UpdateTime = sqlstore.Timestamp(updated)

	return &p, nil
}

// packSource gives what pays as it is stored: a payment with nothing else. Nil: it is not known.
func packSource(p *paymentv1.Payment) ([]byte, error) {
	if p.GetSource() == nil {
		return nil, nil
	}

	packed, err := proto.Marshal(&paymentv1.Payment{Source: p.GetSource()})
	if err != nil {
		return nil, fmt.Errorf("pack source: %w", err)
	}

	return packed, nil
}

func unpackSource(p *paymentv1.Payment, packed []byte) error {
	var from paymentv1.Payment
	if err := proto.Unmarshal(packed, &from); err != nil {
		return fmt.Errorf("unpack source: %w", err)
	}

	p.Source = from.GetSource()

	return nil
}

// storedRefund is a refund and the payment that it is of.
type storedRefund struct {
	*paymentv1.Refund

	paymentID string
}

// scanRefund leaves the currency out: it is the payment's.
func scanRefund(row sqlstore.Row) (storedRefund, error) {
	var (
		refund  = storedRefund{Refund: &paymentv1.Refund{Amount: &moneyv1.Money{}}}
		created int64
	)

	err := row.Scan(&refund.paymentID, &refund.Amount.Units, &refund.Amount.Nanos, &refund.Reason, &created)
	if err != nil {
		return storedRefund{}, fmt.Errorf("read refund: %w", err)
	}

	refund.CreateTime = sqlstore.Timestamp(created)

	return refund, nil
}

func scanMoney(row sqlstore.Row) (*moneyv1.Money, error) {
	var m moneyv1.Money
	if err := row.Scan(&m.CurrencyCode, &m.Units, &m.Nanos); err != nil {
		return nil, fmt.Errorf("read amount: %w", err)
	}

	return &m, nil
}
