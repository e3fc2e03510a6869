package payment

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

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

	return p, requireOwner(ctx, p)
}

func requireOwner(ctx context.Context, p *paymentv1.Payment) error {
	return caller.From(ctx).RequireOwner(p.GetUserId(), adminScope, "payment")
}

func notFound(paymentID string) error { return fault.NotFound("payment %q does not exist", paymentID) }

// findAll loads payments that the caller may see, in the order of their ids. The error is about the first one that it cannot have.
func findAll(ctx context.Context, db sqlstore.Queryer, paymentIDs []string) ([]*paymentv1.Payment, error) {
	found, err := list(ctx, db, `payment_id IN (SELECT value FROM json_each(?))`, sqlstore.JSON[[]string]{V: paymentIDs})
	if err != nil {
		return nil, err
	}

	byID := make(map[string]*paymentv1.Payment, len(found))
	for _, p := range found {
		byID[p.GetPaymentId()] = p
	}

	payments := make([]*paymentv1.Payment, 0, len(paymentIDs))

	for _, id := range paymentIDs {
		p, ok := byID[id]
		if !ok {
			return nil, notFound(id)
		}

		if err := requireOwner(ctx, p); err != nil {
			return nil, err
		}

		payments = append(payments, p)
	}

	return payments, nil
}

// load does not ask who is calling: see find.
func load(ctx context.Context, db sqlstore.Queryer, paymentID string) (*paymentv1.Payment, error) {
	payments, err := list(ctx, db, `payment_id = ?`, paymentID)
	if err != nil {
		return nil, err
	}

	if len(payments) == 0 {
		return nil, notFound(paymentID)
	}

	return payments[0], nil
}

// list loads the payments that a condition holds for, oldest first. It does not ask who is calling.
func list(ctx context.Context, db sqlstore.Queryer, where string, args ...any) ([]*paymentv1.Payment, error) {
	payments, err := sqlstore.List(ctx, db, scanPayment,
		`SELECT `+paymentColumns+` FROM payments WHERE `+where+` ORDER BY create_time, payment_id`, args...)
	if err != nil {
		return nil, fmt.Errorf("list payments: %w", err)
	}

	return payments, loadRefunds(ctx, db, payments)
}

// loadRefunds brings payments from their first state to their present one, with one query for all of them.
func loadRefunds(ctx context.Context, db sqlstore.Queryer, payments []*paymentv1.Payment) error {
	byID := make(map[string]*paymentv1.Payment, len(payments))
	for _, p := range payments {
		byID[p.GetPaymentId()] = p
	}

	refunds, err := sqlstore.List(ctx, db, scanRefund,
		`SELECT payment_id, units, nanos, reason, create_time FROM refunds
		 WHERE payment_id IN (SELECT value FROM json_each(?)) ORDER BY payment_id, position`,
		sqlstore.JSON[[]string]{V: slices.Collect(maps.Keys(byID))})
	if err != nil {
		return fmt.Errorf("list refunds: %w", err)
	}

	for _, refund := range refunds {
		p := byID[refund.paymentID]
		refund.Amount.CurrencyCode = p.GetAmount().GetCurrencyCode()

		if err := apply(p, refund.Refund); err != nil {
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

// countForOrder counts the payments of an order, also those that were refunded.
func countForOrder(ctx context.Context, tx *sql.Tx, orderID string) (count int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM payments WHERE order_id = ?`, orderID).Scan(&count)
	if err != nil {
		return 0, fmt.Errorf("count payments: %w", err)
	}

	return count, nil
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
