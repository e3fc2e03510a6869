package payment

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/demo"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// Seed writes the demo payments, once in the life of the database. Nobody is told of them.
func Seed(ctx context.Context, db *sql.DB) error {
	err := sqlstore.Once(ctx, db, func(tx *sql.Tx) error {
		for _, p := range demoPayments() {
			if err := insertWithRefunds(ctx, tx, p); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("seed payments: %w", err)
	}

	return nil
}

func insertWithRefunds(ctx context.Context, tx *sql.Tx, p *paymentv1.Payment) error {
	refunds := p.GetRefunds()
	p.Refunds = nil

	if err := insert(ctx, tx, p); err != nil {
		return err
	}

	for _, refund := range refunds {
		if err := insertRefund(ctx, tx, p, refund); err != nil {
			return err
		}

		p.Refunds = append(p.Refunds, refund)
	}

	return nil
}

func demoPayments() []*paymentv1.Payment {
	return []*paymentv1.Payment{
		{
			PaymentId: demo.AliceDeliveredPayment, OrderId: demo.AliceDelivered, UserId: demo.Alice,
			Method: paymentv1.PaymentMethod_PAYMENT_METHOD_CARD, Amount: euros(53, 80),
			CreateTime: demo.At(2, 5, 9, 33), UpdateTime: demo.At(2, 5, 9, 33),
			Source: &paymentv1.Payment_Card{Card: &paymentv1.Card{LastFour: "4242"}},
			Refunds: []*paymentv1.Refund{
				{Amount: euros(14, 90), Reason: "One mug arrived broken.", CreateTime: demo.At(2, 10, 14, 0)},
			},
		},
		{
			PaymentId: demo.AliceShippedPayment, OrderId: demo.AliceShipped, UserId: demo.Alice,
			Method: paymentv1.PaymentMethod_PAYMENT_METHOD_WALLET, Amount: euros(100, 0),
			CreateTime: demo.At(2, 22, 10, 6), UpdateTime: demo.At(2, 22, 10, 6),
			Source: &paymentv1.Payment_Wallet{Wallet: &paymentv1.Wallet{Provider: "Example Pay"}},
		},
		{
			PaymentId: demo.AliceShippedRest, OrderId: demo.AliceShipped, UserId: demo.Alice,
			Method: paymentv1.PaymentMethod_PAYMENT_METHOD_CARD, Amount: euros(46, 90),
			CreateTime: demo.At(2, 22, 10, 6), UpdateTime: demo.At(2, 22, 10, 6),
			Source: &paymentv1.Payment_Card{Card: &paymentv1.Card{LastFour: "4242"}},
		},
		{
			PaymentId: demo.BobPayment, OrderId: demo.BobPaid, UserId: demo.Bob,
			Method: paymentv1.PaymentMethod_PAYMENT_METHOD_BANK_TRANSFER, Amount: euros(59, 0),
			CreateTime: demo.At(2, 12, 20, 22), UpdateTime: demo.At(2, 12, 20, 22),
			Source: &paymentv1.Payment_BankTransfer{BankTransfer: &paymentv1.BankTransfer{Iban: "AT611904300234573201"}},
		},
	}
}

func euros(units int64, cents int32) *moneyv1.Money {
	const nanosPerCent = 10_000_000

	return &moneyv1.Money{CurrencyCode: "EUR", Units: units, Nanos: cents * nanosPerCent}
}
