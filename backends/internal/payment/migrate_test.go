package payment_test

import (
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/portico-gateway/portico/backends/internal/payment"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

// Orders did not name their payments. Those that were made before are added to them.
func TestMigrationTellsOrdersOfTheirPayments(t *testing.T) {
	t.Parallel()

	all, err := fs.Sub(payment.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}

	const added = "00007_payments_of_orders.sql"

	before := fstest.MapFS{}

	names, err := fs.Glob(all, "*.sql")
	if err != nil {
		t.Fatal(err)
	}

	for _, name := range names {
		if name >= added {
			continue
		}

		text, err := fs.ReadFile(all, name)
		if err != nil {
			t.Fatal(err)
		}

		before[name] = &fstest.MapFile{Data: text}
	}

	path := filepath.Join(t.TempDir(), "payment.db")

	db, err := sqlstore.Open(t.Context(), path, before)
	if err != nil {
		t.Fatal(err)
	}

	_, err = db.ExecContext(t.Context(), `
		INSERT INTO payments (payment_id, order_id, user_id, method, currency, units, nanos, create_time, update_time)
		VALUES ('pay_2', 'ord_1', 'alice', 1, 'EUR', 1, 0, 20, 20), ('pay_1', 'ord_1', 'alice', 1, 'EUR', 1, 0, 10, 10)`)
	if err != nil {
		t.Fatal(err)
	}

	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	if db, err = sqlstore.Open(t.Context(), path, all); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })

	var told string

	err = db.QueryRowContext(t.Context(), `SELECT group_concat(payload, ',') FROM
		(SELECT CAST(payload AS TEXT) AS payload FROM outbox WHERE topic = 'order-payment' AND length(id) = 26 ORDER BY seq)`).Scan(&told)
	if err != nil || told != "pay_1,pay_2" {
		t.Errorf("told of %q, %v", told, err)
	}
}
