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

// deliveryPatience is how long notifications may be on their way when the load has ended.
const deliveryPatience = 30 * time.Second

// written is what is in the databases in the end.
type written struct {
	// orders are ids by label.
	orders map[string][]string
	// notified counts by order id how often its user was told that it was placed.
	notified map[string]int
	// profiles counts by label.
	profiles map[string]int
}

func (f *fleet) database(service string) string { return database(f.data(), service) }

func database(data, service string) string { return filepath.Join(data, service+".db") }

func contains(list []string, one string) bool { return slices.Contains(list, one) }

// audit reads the databases: what is not there is lost, whatever a cache or a replica may say.
func (l *ledger) audit(ctx context.Context, data string) error {
	if err := delivered(ctx, database(data, "order")); err != nil {
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
		if err := each(ctx, database(data, one.service), one.query, one.add); err != nil {
			return fmt.Errorf("read %s database: %w", one.service, err)
		}
	}

	l.judge(found)

	return nil
}

// delivered waits until the outbox is empty. What is parked there stays undelivered, and is found to be missing.
func delivered(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryPatience)
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

	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}

	return db, nil
}

// locked reports whether somebody holds the write lock of a database for longer than a transaction takes.
func locked(ctx context.Context, path string) (bool, error) {
	db, err := open(path)
	if err != nil {
		return false, err
	}
	defer func() { _ = db.Close() }() // Nothing was written.

	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		if strings.Contains(err.Error(), "SQLITE_BUSY") {
			return true, nil
		}

		return false, fmt.Errorf("ask for the lock: %w", err)
	}

	return false, tx.Rollback()
}
