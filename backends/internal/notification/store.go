package notification

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/page"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
)

// execer is a database or a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// create returns what is stored under the id afterwards, also if another call wrote it.
func (s *Service) create(ctx context.Context, n *notificationv1.Notification) (*notificationv1.Notification, error) {
	if err := insert(ctx, s.db, n); err != nil {
		return nil, err
	}

	row := s.db.QueryRowContext(ctx, `SELECT `+columns+` FROM notifications WHERE notification_id = ?`, n.GetNotificationId())

	return scan(row)
}

// insert does nothing if the id is there.
func insert(ctx context.Context, db execer, n *notificationv1.Notification) error {
	_, err := db.ExecContext(ctx,
		`INSERT INTO notifications (`+columns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (notification_id) DO NOTHING`,
		n.GetNotificationId(), n.GetUserId(), n.GetKind(), n.GetTitle(), n.GetBody(), dataColumn(n),
		sqlstore.Micros(n.GetCreateTime()), readTimeColumn(n))
	if err != nil {
		return fmt.Errorf("insert notification: %w", err)
	}

	return nil
}

// query says which notifications to list, newest first.
type query struct {
	userID     string
	unreadOnly bool
	orderID    string // Empty: any.
	after      page.Position
	limit      int
}

func (q query) where() (string, []any) {
	where, args := `user_id = ?`, []any{q.userID}

	if q.unreadOnly {
		where += ` AND read_time IS NULL`
	}

	if q.orderID != "" {
		// As in the index notifications_by_order.
		where += ` AND data ->> '$.order_id' = ?`
		args = append(args, q.orderID)
	}

	return where, args
}

func (s *Service) list(ctx context.Context, q query) ([]*notificationv1.Notification, error) {
	where, args := q.where()

	list, err := sqlstore.List(ctx, s.db, scan,
		`SELECT `+columns+` FROM notifications WHERE `+where+` AND (create_time, notification_id) < (?, ?)
		 ORDER BY create_time DESC, notification_id DESC LIMIT ?`,
		append(args, q.after.Time, q.after.ID, q.limit)...)
	if err != nil {
		return nil, fmt.Errorf("list notifications: %w", err)
	}

	return list, nil
}

func position(n *notificationv1.Notification) page.Position {
	return page.Position{Time: sqlstore.Micros(n.GetCreateTime()), ID: n.GetNotificationId()}
}

func (s *Service) countUnread(ctx context.Context, userID string) (int64, error) {
	var unread int64

	err := s.db.QueryRowContext(ctx,
		`SELECT count(*) FROM notifications WHERE user_id = ? AND read_time IS NULL`, userID).Scan(&unread)
	if err != nil {
		return 0, fmt.Errorf("count unread notifications: %w", err)
	}

	return unread, nil
}

// markRead keeps the time of the first reading.
func (s *Service) markRead(ctx context.Context, userID, id string) (*notificationv1.Notification, error) {
	row := s.db.QueryRowContext(ctx,
		`UPDATE notifications SET read_time = coalesce(read_time, ?) WHERE notification_id = ? AND user_id = ? RETURNING `+columns,
		sqlstore.Micros(sqlstore.Now()), id, userID)

	n, err := scan(row)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("notification %q does not exist", id)
	}

	return n, err
}
