package payment

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// find loads a payment that the caller may see.
func find(ctx context.Context, db sqlstore.Queryer, paymentID string) (*paymentv1.Payment, error) {
	p, err := load(ctx, db, paymentID)
	if err != nil {
		return nil, err
	}

	if err := caller.From(ctx).RequireOwner(p.GetUserId(), adminScope, "payment"); err != nil {
		return nil, err
	}

	return p, nil
}

// load does not ask who is calling: see find.
func load(ctx context.Context, db sqlstore.Queryer, paymentID string) (*paymentv1.Payment, error) {
	p, err := scanPayment(db.QueryRowContext(ctx, `SELECT `+paymentColumns+` FROM payments WHERE payment_id = ?`, paymentID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("payment %q does not exist", paymentID)
	}

	if err != nil {
		return nil, err
	}

	if err := loadRefunds(ctx, db, p); err != nil {
		return nil, err
	}

	return p, nil
}

// loadRefunds brings a payment from its first state to its present one.
func loadRefunds(ctx context.Context, db sqlstore.Queryer, p *paymentv1.Payment) error {
	scan := func(row sqlstore.Row) (*paymentv1.Refund, error) {
		return scanRefund(row, p.GetAmount().GetCurrencyCode())
	}

	refunds, err := sqlstore.List(ctx, db, scan,
		`SELECT units, nanos, reason, create_time FROM refunds WHERE payment_id = ? ORDER BY position`, p.GetPaymentId())
	if err != nil {
		return fmt.Errorf("list refunds: %w", err)
	}

	for _, refund := range refunds {
		if err := apply(p, refund); err != nil {
			return err
		}
	}

	return nil
}

// sumForOrder adds up what was paid for an order and not given back.
func sumForOrder(ctx context.Context, tx *sql.Tx, o *orderv1.Order) (*moneyv1.Money, error) {
	parts, err := sqlstore.List(ctx, tx, scanMoney,
		`SELECT currency, units, nanos FROM payments WHERE order_id = ?1
		 UNION ALL
		 SELECT currency, -refunds.units, -refunds.nanos FROM refunds JOIN payments USING (payment_id) WHERE order_id = ?1`,
		o.GetOrderId())
	if err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}

	sum := money.Zero(o.GetTotal().GetCurrencyCode())

	for _, part := range parts {
		if sum, err = money.Add(sum, part); err != nil {
			return nil, fmt.Errorf("add up payments: %w", err)
		}
	}

	return sum, nil
}

// ofOrder lists the payments of an order.
func ofOrder(ctx context.Context, tx *sql.Tx, orderID string) ([]*paymentv1.Payment, error) {
	payments, err := sqlstore.List(ctx, tx, scanPayment,
		`SELECT `+paymentColumns+` FROM payments WHERE order_id = ? ORDER BY create_time, payment_id`, orderID)
	if err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}

	for _, p := range payments {
		if err := loadRefunds(ctx, tx, p); err != nil {
			return nil, err
		}
	}

	return payments, nil
}

// closeOrder lets no more be paid for an order.
func closeOrder(ctx context.Context, tx *sql.Tx, orderID string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO closed_orders (order_id, close_time) VALUES (?, ?) ON CONFLICT DO NOTHING`,
		orderID, sqlstore.Micros(sqlstore.Now()))
	if err != nil {
		return fmt.Errorf("close order: %w", err)
	}

	return nil
}

func isClosed(ctx context.Context, tx *sql.Tx, orderID string) (closed bool, err error) {
	err = tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM closed_orders WHERE order_id = ?)`, orderID).Scan(&closed)
	if err != nil {
		return false, fmt.Errorf("look for closed order: %w", err)
	}

	return closed, nil
}

// insert leaves the refunds out.
func insert(ctx context.Context, tx *sql.Tx, p *paymentv1.Payment) error {
	source, err := packSource(p)
	if err != nil {
		return err
	}

	_, err = tx.ExecContext(ctx,
		`INSERT INTO payments (`+paymentColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.GetPaymentId(), p.GetOrderId(), p.GetUserId(), p.GetMethod(), p.GetAmount().GetCurrencyCode(), p.GetAmount().GetUnits(),
		p.GetAmount().GetNanos(), sqlstore.Micros(p.GetCreateTime()), sqlstore.Micros(p.GetUpdateTime()), source)
	if err != nil {
		return fmt.Errorf("insert payment: %w", err)
	}

	return nil
}

// insertRefund stores the refund that comes after those that p has.
func insertRefund(ctx context.Context, tx *sql.Tx, p *paymentv1.Payment, refund *paymentv1.Refund) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO refunds (payment_id, position, units, nanos, reason, create_time) VALUES (?, ?, ?, ?, ?, ?)`,
		p.GetPaymentId(), len(p.GetRefunds()), refund.GetAmount().GetUnits(), refund.GetAmount().GetNanos(), refund.GetReason(),
		sqlstore.Micros(refund.GetCreateTime()))
	if err != nil {
		return fmt.Errorf("insert refund: %w", err)
	}

	_, err = tx.ExecContext(ctx,
		`UPDATE payments SET update_time = ? WHERE payment_id = ?`, sqlstore.Micros(refund.GetCreateTime()), p.GetPaymentId())
	if err != nil {
		return fmt.Errorf("update payment: %w", err)
	}

	return nil
}
