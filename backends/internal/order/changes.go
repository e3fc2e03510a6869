package order

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// changeColumns are in the order of scanChange.
const changeColumns = `order_id, sequence, status, previous_status, change_time`

// insertChange appends the present status of an order to its record, at the time of its last update.
func insertChange(ctx context.Context, tx *sql.Tx, o *orderv1.Order, previous orderv1.OrderStatus) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO order_changes (`+changeColumns+`)
		 SELECT ?1, coalesce(max(sequence), 0) + 1, ?2, ?3, ?4 FROM order_changes WHERE order_id = ?1`,
		o.GetOrderId(), o.GetStatus(), previous, sqlstore.Micros(o.GetUpdateTime()))
	if err != nil {
		return fmt.Errorf("insert change: %w", err)
	}

	return nil
}

func (s *Service) latestChange(ctx context.Context, orderID string) (*orderv1.WatchOrderResponse, error) {
	return scanChange(s.db.QueryRowContext(ctx,
		`SELECT `+changeColumns+` FROM order_changes WHERE order_id = ? ORDER BY sequence DESC LIMIT 1`, orderID))
}

// changesAfter gives the changes with a higher sequence, in order.
func (s *Service) changesAfter(ctx context.Context, orderID string, sequence int64) ([]*orderv1.WatchOrderResponse, error) {
	changes, err := sqlstore.List(ctx, s.db, scanChange,
		`SELECT `+changeColumns+` FROM order_changes WHERE order_id = ? AND sequence > ? ORDER BY sequence`,
		orderID, sequence)
	if err != nil {
		return nil, fmt.Errorf("list changes: %w", err)
	}

	return changes, nil
}

func scanChange(row sqlstore.Row) (*orderv1.WatchOrderResponse, error) {
	var (
		change  orderv1.WatchOrderResponse
		changed int64
	)

	err := row.Scan(&change.OrderId, &change.Sequence, &change.Status, &change.PreviousStatus, &changed)
	if err != nil {
		return nil, fmt.Errorf("read change: %w", err)
	}

	change.ChangeTime = sqlstore.Timestamp(changed)

	return &change, nil
}
