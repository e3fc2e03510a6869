package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // Registers the driver "sqlite".
)

// deliveryTimeout is how long notifications may take after the load has ended.
const deliveryTimeout = 30 * time.Second

// written is the content of the databases.
type written struct {
	// orders are ids by label.
	orders map[string][]string
	// notified counts the notifications of a new order by its id.
	notified map[string]int
	// profiles counts by label.
	profiles map[string]int
}

func database(dir, service string) string { return filepath.Join(dataIn(dir), service+".db") }

// audit looks for the writes in the databases themselves, not in a cache or a replica.
func audit(ctx context.Context, dir string, writes *journal[entry]) error {
	if err := delivered(ctx, database(dir, "order")); err != nil {
		return err
	}

	found := written{orders: make(map[string][]string), notified: make(map[string]int), profiles: make(map[string]int)}

	for _, one := range []struct {
		service, query string
		add            func(key, value string)
	}{
		{
			"order", `SELECT json_extract(labels, '$.drill'), order_id FROM orders WHERE labels <> 'null' AND labels <> '{}'`,
			func(label, id string) { found.orders[label] = append(found.orders[label], id) },
		},
		{
			"notification", `SELECT json_extract(data, '$.order_id'), notification_id FROM notifications
				WHERE json_extract(data, '$.status') = 'ORDER_STATUS_PENDING'`,
			func(id, _ string) { found.notified[id]++ },
		},
		{"profile", `SELECT bio, user_id FROM profiles`, func(bio, _ string) { found.profiles[bio]++ }},
	} {
		if err := each(ctx, database(dir, one.service), one.query, one.add); err != nil {
			return fmt.Errorf("read %s database: %w", one.service, err)
		}
	}

	for _, one := range writes.list {
		writes.update(one, found.check)
	}

	return nil
}

// check sets whether a write was lost or doubled.
func (w written) check(one *entry) {
	copies := w.profiles[one.label]

	if one.table == orders {
		ids := w.orders[one.label]
		copies = len(ids)

		for _, id := range ids {
			// Each order has exactly one notification.
			one.lost = one.lost || w.notified[id] == 0
			one.doubled = one.doubled || w.notified[id] > 1
		}

		one.lost = one.lost || one.acknowledged && !slices.Contains(ids, one.id)
	}

	one.made = copies > 0
	one.lost = one.lost || one.acknowledged && copies == 0
	one.doubled = one.doubled || copies > 1
}

// delivered waits until the outbox is empty. Parked notifications stay undelivered, so that the audit finds them missing.
func delivered(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()

	for {
		waiting := 0

		err := each(ctx, path, `SELECT id, topic FROM outbox WHERE parked_time IS NULL`, func(string, string) { waiting++ })
		if err != nil {
			return fmt.Errorf("read outbox: %w", err)
		}

		if waiting == 0 {
			return nil
		}

		if err := pause(ctx, pollInterval); err != nil {
			return fmt.Errorf("%d notifications are not delivered: %w", waiting, err)
		}
	}
}

// each runs a query with two columns of text.
func each(ctx context.Context, path, query string, use func(first, second string)) (err error) {
	db, err := open(path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // Nothing was written.

	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()

	for rows.Next() {
		var first, second string
		if err := rows.Scan(&first, &second); err != nil {
			return fmt.Errorf("read row: %w", err)
		}

		use(first, second)
	}

	return rows.Err()
}

func open(path string) (*sql.DB, error) {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(300)"}}

	return sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}).String())
}

// locked reports whether the write lock of a database is held for longer than a transaction takes.
func locked(ctx context.Context, path string) (bool, error) {
	db, err := open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = db.Close() }() // Nothing was written.

	switch tx, err := db.BeginTx(ctx, nil); {
	case err == nil:
		return false, tx.Rollback()
	case strings.Contains(err.Error(), "SQLITE_BUSY"):
		return true, nil
	default:
		return false, fmt.Errorf("begin transaction: %w", err)
	}
}
