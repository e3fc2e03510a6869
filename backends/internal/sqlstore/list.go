package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// Row is what a query found: *sql.Row or the present row of *sql.Rows.
type Row interface {
	Scan(dest ...any) error
}

// Queryer is a database or a transaction.
type Queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// List runs a query and gives what scan makes of each row, in order. The error of scan comes back as it is.
func List[T any](ctx context.Context, db Queryer, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	defer func() { _ = rows.Close() }()

	var list []T

	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}

		list = append(list, one)
	}

	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read rows: %w", err)
	}

	return list, nil
}
