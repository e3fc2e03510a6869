// Package sqlstore opens SQLite databases and brings them to the schema of their service. It also holds the few things that all
// stores need: transactions, columns that hold JSON, the form of times.
//
// It knows no table: queries belong to the services. Times are stored as integer microseconds since 1970 in UTC.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"google.golang.org/protobuf/types/known/timestamppb"
	"modernc.org/sqlite" // Registers the driver "sqlite" as well.
	sqlite3 "modernc.org/sqlite/lib"
)

// maxConns bounds the connections of one database: readers work side by side, writers wait for one another anyway.
const maxConns = 8

// Open opens the database in a file, creates it where there is none, and applies the migrations (goose files in the root of the
// file system). The caller closes it.
func Open(ctx context.Context, path string, migrations fs.FS) (*sql.DB, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("locate database %s: %w", path, err)
	}

	db, err := sql.Open("sqlite", dsn(absolute))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}

	db.SetMaxOpenConns(maxConns)
	db.SetMaxIdleConns(maxConns)

	if err := alone(ctx, absolute, func() error { return migrate(ctx, db, migrations) }); err != nil {
		if IsFull(err) {
			err = fmt.Errorf("the disk is full: %w", err)
		}

		return nil, errors.Join(fmt.Errorf("migrate database %s: %w", path, err), db.Close())
	}

	return db, nil
}

// dsn asks for the write-ahead log, so that readers and the writer do not stop each other, and for transactions that take the write
// lock at once, so that what they read stays true until they commit.
func dsn(path string) string {
	return uri(path, url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "foreign_keys(1)", "synchronous(NORMAL)"},
	})
}

func uri(path string, query url.Values) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}).String()
}

// alone runs fn while nobody else, in this process or another, runs one for the same path: goose looks which migrations are due
// before it locks anything, so that two replicas that start together would both apply the first. The lock is an exclusive
// transaction on an empty database beside the file: it works wherever SQLite does and ends with the process that holds it.
func alone(ctx context.Context, path string, fn func() error) error {
	lock, err := sql.Open("sqlite", uri(path+".lock", url.Values{"_txlock": {"exclusive"}, "_pragma": {"busy_timeout(30000)"}}))
	if err != nil {
		return fmt.Errorf("open lock: %w", err)
	}
	defer func() { _ = lock.Close() }() // Nothing was written.

	return Tx(ctx, lock, func(*sql.Tx) error { return fn() })
}

func migrate(ctx context.Context, db *sql.DB, migrations fs.FS) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, migrations, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}

	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("apply migrations: %w", err)
	}

	return nil
}

// Tx runs fn in a transaction that holds the write lock, commits if it returns nil and rolls back otherwise. The error of fn comes
// back as it is.
func Tx(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // Does nothing after the commit; before it, the first error matters more.

	if err := fn(tx); err != nil {
		return err
	}

	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}

	return nil
}

// Once runs fn in a transaction if it has never succeeded on this database, however often the program was started since. The
// mark is user_version in the header of the file: it is part of the transaction, and goose has no use for it.
func Once(ctx context.Context, db *sql.DB, fn func(tx *sql.Tx) error) error {
	return Tx(ctx, db, func(tx *sql.Tx) error {
		var done int
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&done); err != nil {
			return fmt.Errorf("read mark: %w", err)
		}

		if done != 0 {
			return nil
		}

		if err := fn(tx); err != nil {
			return err
		}

		if _, err := tx.ExecContext(ctx, "PRAGMA user_version = 1"); err != nil {
			return fmt.Errorf("set mark: %w", err)
		}

		return nil
	})
}

// IsFull reports whether an error says that there is no space left for a database: on the disk, or within its limit.
func IsFull(err error) bool {
	var e *sqlite.Error

	return errors.As(err, &e) && full(e.Code())
}

// full reports whether a code of SQLite is about space. The shared memory of the write-ahead log is a file as well, and what is
// wrong with its size is that it cannot grow.
func full(code int) bool {
	const primary = 0xff // https://www.sqlite.org/rescode.html, "Primary Result Codes versus Extended Result Codes".

	return code&primary == sqlite3.SQLITE_FULL || code == sqlite3.SQLITE_IOERR_SHMSIZE
}

// Now is the present time with the precision that the databases keep.
func Now() *timestamppb.Timestamp {
	return timestamppb.New(time.Now().Truncate(time.Microsecond))
}

// Micros is how a time is stored.
func Micros(t *timestamppb.Timestamp) int64 {
	return t.AsTime().UnixMicro()
}

// Timestamp reads a stored time.
func Timestamp(micros int64) *timestamppb.Timestamp {
	return timestamppb.New(time.UnixMicro(micros))
}
