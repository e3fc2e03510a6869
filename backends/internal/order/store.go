package order

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/etag"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/page"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// find loads an order that the caller may see.
func find(ctx context.Context, db sqlstore.Queryer, orderID string) (*orderv1.Order, error) {
	o, err := load(ctx, db, orderID)
	if err != nil {
		return nil, err
	}

	if err := caller.From(ctx).RequireOwner(o.GetUserId(), adminScope, "order"); err != nil {
		return nil, err
	}

	return o, nil
}

// load does not ask who is calling: see find.
func load(ctx context.Context, db sqlstore.Queryer, orderID string) (*orderv1.Order, error) {
	o, err := scanOrder(db.QueryRowContext(ctx, `SELECT `+orderColumns+` FROM orders WHERE order_id = ?`, orderID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("order %q does not exist", orderID)
	}

	if err != nil {
		return nil, err
	}

	if err := loadItems(ctx, db, []*orderv1.Order{o}); err != nil {
		return nil, err
	}

	return o, nil
}

// loadItems fills in the items of orders, with one query for all of them.
func loadItems(ctx context.Context, db sqlstore.Queryer, orders []*orderv1.Order) error {
	byID := make(map[string]*orderv1.Order, len(orders))
	ids := make([]string, 0, len(orders))

	for _, o := range orders {
		byID[o.GetOrderId()] = o
		ids = append(ids, o.GetOrderId())
	}

	items, err := sqlstore.List(ctx, db, scanItem,
		`SELECT `+itemColumns+` FROM order_items WHERE order_id IN (SELECT value FROM json_each(?)) ORDER BY order_id, position`,
		sqlstore.JSON[[]string]{V: ids})
	if err != nil {
		return fmt.Errorf("list items: %w", err)
	}

	for _, item := range items {
		o := byID[item.orderID]
		item.UnitPrice.CurrencyCode = o.GetTotal().GetCurrencyCode()
		o.Items = append(o.Items, item.LineItem)
	}

	return nil
}

// query says which orders to list, newest first.
type query struct {
	userID string
	status orderv1.OrderStatus // UNSPECIFIED: any.
	after  page.Position
	limit  int
}

func (q query) where() (string, []any) {
	if q.status == orderv1.OrderStatus_ORDER_STATUS_UNSPECIFIED {
		return `user_id = ?`, []any{q.userID}
	}

	return `user_id = ? AND status = ?`, []any{q.userID, q.status}
}

func (q query) page() (string, []any) {
	where, args := q.where()

	return `SELECT ` + orderColumns + ` FROM orders WHERE ` + where + ` AND (create_time, order_id) < (?, ?)
		ORDER BY create_time DESC, order_id DESC LIMIT ?`, append(args, q.after.Time, q.after.ID, q.limit)
}

func (s *Service) list(ctx context.Context, q query) ([]*orderv1.Order, error) {
	text, args := q.page()

	orders, err := sqlstore.List(ctx, s.db, scanOrder, text, args...)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}

	if err := loadItems(ctx, s.db, orders); err != nil {
		return nil, err
	}

	return orders, nil
}

func position(o *orderv1.Order) page.Position {
	return page.Position{Time: sqlstore.Micros(o.GetCreateTime()), ID: o.GetOrderId()}
}

// count is over all pages.
func (s *Service) count(ctx context.Context, q query) (int64, error) {
	where, args := q.where()

	var total int64
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM orders WHERE `+where, args...).Scan(&total); err != nil {
		return 0, fmt.Errorf("count orders: %w", err)
	}

	return total, nil
}

// insert stores a new order.
func insert(ctx context.Context, tx *sql.Tx, o *orderv1.Order) error {
	const firstRevision = 1

	o.Etag = etag.Of(firstRevision)

	destination, err := packDestination(o)
	if err != nil {
		return err
	}

	_, err = tx.ExecContext(ctx,
		`INSERT INTO orders (`+orderColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		o.GetOrderId(), o.GetUserId(), o.GetStatus(),
		o.GetTotal().GetCurrencyCode(), o.GetTotal().GetUnits(), o.GetTotal().GetNanos(),
		o.GetTotalQuantity(), o.Note, sqlstore.JSON[map[string]string]{V: o.GetLabels()}, o.CancelReason,
		sqlstore.Micros(o.GetCreateTime()), sqlstore.Micros(o.GetUpdateTime()), destination, firstRevision,
		sqlstore.JSON[[]string]{V: o.GetPaymentIds()})
	if err != nil {
		return fmt.Errorf("insert order: %w", err)
	}

	for i, item := range o.GetItems() {
		_, err := tx.ExecContext(ctx,
			`INSERT INTO order_items (`+itemColumns+`, position) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			o.GetOrderId(), item.GetSku(), item.GetTitle(), item.GetQuantity(), item.GetUnitPrice().GetUnits(),
			item.GetUnitPrice().GetNanos(), sqlstore.JSON[map[string]string]{V: item.GetAttributes()}, i)
		if err != nil {
			return fmt.Errorf("insert item: %w", err)
		}
	}

	return nil
}

// store writes what can change of an order, which makes it another revision.
func store(ctx context.Context, tx *sql.Tx, o *orderv1.Order) error {
	destination, err := packDestination(o)
	if err != nil {
		return err
	}

	o.UpdateTime = sqlstore.Now()

	var revision int64

	err = tx.QueryRowContext(ctx,
		`UPDATE orders SET status = ?, note = ?, labels = ?, cancel_reason = ?, destination = ?, payment_ids = ?,
		   update_time = ?, revision = revision + 1
		 WHERE order_id = ? RETURNING revision`,
		o.GetStatus(), o.Note, sqlstore.JSON[map[string]string]{V: o.GetLabels()}, o.CancelReason, destination,
		sqlstore.JSON[[]string]{V: o.GetPaymentIds()}, sqlstore.Micros(o.GetUpdateTime()), o.GetOrderId()).Scan(&revision)
	if err != nil {
		return fmt.Errorf("update order: %w", err)
	}

	o.Etag = etag.Of(revision)

	return nil
}
