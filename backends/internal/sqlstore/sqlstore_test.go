package sqlstore_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

func migrations() fstest.MapFS {
	return fstest.MapFS{"00001_t.sql": {Data: []byte("-- +goose Up\nCREATE TABLE t (x TEXT NOT NULL) STRICT;\n")}}
}

func open(t *testing.T, path string) *sql.DB {
	t.Helper()

	db, err := sqlstore.Open(t.Context(), path, migrations())
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })

	return db
}

func count(t *testing.T, db *sql.DB) int {
	t.Helper()

	var n int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM t`).Scan(&n); err != nil {
		t.Fatal(err)
	}

	return n
}

func TestOpenSetsPragmas(t *testing.T) {
	t.Parallel()

	// The name has what a URL would give a meaning of its own.
	db := open(t, filepath.Join(t.TempDir(), "a b?c%41.db"))

	for pragma, want := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000", "synchronous": "1"} {
		var got string
		if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %q, %v; want %q", pragma, got, err, want)
		}
	}
}

// Of two processes that started over one new database, one once failed: both applied the first migration.
func TestOpenAtTheSameTime(t *testing.T) {
	t.Parallel()

	for range 3 {
		path := filepath.Join(t.TempDir(), "t.db")

		var opening sync.WaitGroup
		for range 6 {
			opening.Go(func() {
				db, err := sqlstore.Open(t.Context(), path, migrations())
				if err != nil {
					t.Error(err)

					return
				}

				_ = db.Close()
			})
		}

		opening.Wait()
	}
}

func TestListKeepsNoConnection(t *testing.T) {
	t.Parallel()

	const query = `SELECT value FROM json_each(?)`

	db := open(t, filepath.Join(t.TempDir(), "t.db"))
	broken := errors.New("broken")
	read := func(row sqlstore.Row) (text string, err error) {
		err = row.Scan(&text)

		return text, err
	}

	for range 20 { // More often than there are connections.
		got, err := sqlstore.List(t.Context(), db, read, query, `["a","b"]`)
		if diff := cmp.Diff([]string{"a", "b"}, got); diff != "" || err != nil {
			t.Fatalf("list gives %v (-want +got):\n%s", err, diff)
		}

		_, err = sqlstore.List(t.Context(), db, func(sqlstore.Row) (string, error) { return "", broken }, query, `["a","b"]`)
		if !errors.Is(err, broken) {
			t.Fatalf("the error of scan became %v", err)
		}
	}
}

func TestOnceIsRememberedAndAllOrNothing(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "t.db")
	db := open(t, path)
	broken := errors.New("broken")
	add := func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO t VALUES ('x')`)

		return err
	}

	err := sqlstore.Once(t.Context(), db, func(tx *sql.Tx) error { return errors.Join(add(tx), broken) })
	if !errors.Is(err, broken) || count(t, db) != 0 {
		t.Fatalf("failed with %v and left %d rows", err, count(t, db))
	}

	for range 2 {
		if err := sqlstore.Once(t.Context(), db, add); err != nil {
			t.Fatal(err)
		}
	}

	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	db = open(t, path)
	if err := sqlstore.Once(t.Context(), db, add); err != nil || count(t, db) != 1 {
		t.Errorf("%d rows after opening again, %v; want 1", count(t, db), err)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()

	var got sqlstore.JSON[map[string]string]

	want := sqlstore.JSON[map[string]string]{V: map[string]string{"ä": `"`}}
	db := open(t, filepath.Join(t.TempDir(), "t.db"))

	if err := db.QueryRowContext(t.Context(), `INSERT INTO t VALUES (?) RETURNING x`, want).Scan(&got); err != nil {
		t.Fatal(err)
	}

	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("column (-written +read):\n%s", diff)
	}

	if err := got.Scan(int64(1)); err == nil {
		t.Error("a number was read as JSON text")
	}
}

// Once, a full disk was "disk I/O error (4874)".
func TestFullDisk(t *testing.T) {
	t.Parallel()

	db := open(t, filepath.Join(t.TempDir(), "t.db"))
	db.SetMaxOpenConns(1) // The limit is one of the connection.

	if _, err := db.ExecContext(t.Context(), `PRAGMA max_page_count = 1`); err != nil {
		t.Fatal(err)
	}

	_, err := db.ExecContext(t.Context(), `INSERT INTO t (x) VALUES (hex(zeroblob(1048576)))`)
	if !sqlstore.IsFull(fmt.Errorf("insert: %w", err)) {
		t.Errorf("error %v is not about space", err)
	}

	if _, err := db.ExecContext(t.Context(), `SELECT y FROM t`); err == nil || sqlstore.IsFull(err) {
		t.Errorf("error %v is about space", err)
	}
}
