package user

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/page"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func create(ctx context.Context, tx *sql.Tx, u *userv1.User) error {
	taken, err := exists(ctx, tx, `SELECT EXISTS (SELECT 1 FROM users WHERE user_id = ?)`, u.GetUserId())
	if err != nil {
		return err
	}

	if taken {
		return fault.AlreadyExists("user %q exists already", u.GetUserId())
	}

	return insert(ctx, tx, u)
}

// insert needs the write lock: it looks before it writes.
func insert(ctx context.Context, tx *sql.Tx, u *userv1.User) error {
	if err := requireFreeEmail(ctx, tx, u); err != nil {
		return err
	}

	_, err := tx.ExecContext(ctx,
		`INSERT INTO users (user_id, email, display_name, status, phone, labels, create_time, update_time)
		 VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		u.GetUserId(), u.GetEmail(), u.GetDisplayName(), u.GetStatus(), u.Phone, labelsColumn(u),
		sqlstore.Micros(u.GetCreateTime()), sqlstore.Micros(u.GetUpdateTime()))
	if err != nil {
		return fmt.Errorf("insert user: %w", err)
	}

	return nil
}

func update(ctx context.Context, tx *sql.Tx, u *userv1.User) error {
	if err := requireFreeEmail(ctx, tx, u); err != nil {
		return err
	}

	_, err := tx.ExecContext(ctx,
		`UPDATE users SET email = ?, display_name = ?, phone = ?, labels = ?, update_time = ? WHERE user_id = ?`,
		u.GetEmail(), u.GetDisplayName(), u.Phone, labelsColumn(u), sqlstore.Micros(u.GetUpdateTime()), u.GetUserId())
	if err != nil {
		return fmt.Errorf("update user: %w", err)
	}

	return nil
}

func requireFreeEmail(ctx context.Context, tx *sql.Tx, u *userv1.User) error {
	taken, err := exists(ctx, tx,
		`SELECT EXISTS (SELECT 1 FROM users WHERE email = ? AND user_id <> ?)`, u.GetEmail(), u.GetUserId())
	if err != nil {
		return err
	}

	if taken {
		return fault.AlreadyExists("another user has this e-mail address")
	}

	return nil
}

func exists(ctx context.Context, db sqlstore.Queryer, query string, args ...any) (bool, error) {
	var found bool
	if err := db.QueryRowContext(ctx, query, args...).Scan(&found); err != nil {
		return false, fmt.Errorf("look for user: %w", err)
	}

	return found, nil
}

func load(ctx context.Context, db sqlstore.Queryer, userID string) (*userv1.User, error) {
	u, err := scan(db.QueryRowContext(ctx, `SELECT `+columns+` FROM users WHERE user_id = ?`, userID))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("user %q does not exist", userID)
	}

	return u, err
}

// list gives at most limit users that come after a position, oldest first.
func (s *Service) list(ctx context.Context, after page.Position, limit int) ([]*userv1.User, error) {
	users, err := sqlstore.List(ctx, s.db, scan,
		`SELECT `+columns+` FROM users WHERE (create_time, user_id) > (?, ?) ORDER BY create_time, user_id LIMIT ?`,
		after.Time, after.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}

	return users, nil
}

func position(u *userv1.User) page.Position {
	return page.Position{Time: sqlstore.Micros(u.GetCreateTime()), ID: u.GetUserId()}
}

func (s *Service) count(ctx context.Context) (int64, error) {
	var total int64
	if err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM users`).Scan(&total); err != nil {
		return 0, fmt.Errorf("count users: %w", err)
	}

	return total, nil
}

func (s *Service) remove(ctx context.Context, userID string) error {
	result, err := s.db.ExecContext(ctx, `DELETE FROM users WHERE user_id = ?`, userID)
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}

	removed, err := result.RowsAffected()
	if err != nil {
		return fmt.Errorf("delete user: %w", err)
	}

	if removed == 0 {
		return fault.NotFound("user %q does not exist", userID)
	}

	return nil
}
