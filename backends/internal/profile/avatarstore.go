package profile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// discardStep is how many chunks are deleted at once: others want to write too.
const discardStep = 64

// A picture is stored in versions, each made of chunks. A version begins hidden, grows, and is either shown in place of the one
// before, which is then hidden, or discarded. Only hidden versions are ever deleted.

// picture is an avatar and where its bytes are.
type picture struct {
	*profilev1.Avatar

	version string
}

// loadPicture gives an error with sql.ErrNoRows if the user has none.
func loadPicture(ctx context.Context, db sqlstore.Queryer, userID string) (picture, error) {
	var (
		p       = picture{Avatar: &profilev1.Avatar{UserId: userID}}
		updated int64
	)

	err := db.QueryRowContext(ctx,
		`SELECT version, content_type, size_bytes, etag, update_time FROM avatars WHERE user_id = ?`, userID).
		Scan(&p.version, &p.ContentType, &p.SizeBytes, &p.Etag, &updated)
	if err != nil {
		return picture{}, fmt.Errorf("read avatar: %w", err)
	}

	p.UpdateTime = sqlstore.Timestamp(updated)

	return p, nil
}

// readChunk gives the bytes from an offset to the end of the chunk that it lies in.
func readChunk(ctx context.Context, db sqlstore.Queryer, version string, offset int64) ([]byte, error) {
	var (
		start int64
		data  []byte
	)

	err := db.QueryRowContext(ctx,
		`SELECT start, data FROM avatar_chunks WHERE version = ? AND start <= ? ORDER BY start DESC LIMIT 1`, version, offset).
		Scan(&start, &data)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read chunk: %w", err)
	}

	if offset-start >= int64(len(data)) {
		return nil, fault.Aborted("the picture was replaced while it was read")
	}

	return data[offset-start:], nil
}

// begin hides a new version.
func begin(ctx context.Context, db *sql.DB, version string) error {
	_, err := db.ExecContext(ctx,
		`INSERT INTO hidden_avatars (version, active_time) VALUES (?, ?)`, version, time.Now().UnixMicro())
	if err != nil {
		return fmt.Errorf("begin avatar: %w", err)
	}

	return nil
}

// extend adds a chunk to a hidden version, in a transaction of its own: clients are slow and writers wait for one another.
func extend(ctx context.Context, db *sql.DB, version string, start int64, data []byte) error {
	return sqlstore.Tx(ctx, db, func(tx *sql.Tx) error {
		touched, err := affected(tx.ExecContext(ctx,
			`UPDATE hidden_avatars SET active_time = ? WHERE version = ? AND active_time > 0`, time.Now().UnixMicro(), version))
		if err != nil {
			return fmt.Errorf("touch avatar: %w", err)
		}

		if touched == 0 {
			return errGivenUp()
		}

		return insertChunk(ctx, tx, version, start, data)
	})
}

func insertChunk(ctx context.Context, tx *sql.Tx, version string, start int64, data []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO avatar_chunks (version, start, data) VALUES (?, ?, ?)`, version, start, data)
	if err != nil {
		return fmt.Errorf("insert chunk: %w", err)
	}

	return nil
}

// publish shows a hidden version and gives the one that it replaces, which is to be discarded; empty if there is none.
func publish(ctx context.Context, db *sql.DB, p picture) (replaced string, err error) {
	err = sqlstore.Tx(ctx, db, func(tx *sql.Tx) error {
		complete, err := affected(tx.ExecContext(ctx,
			`DELETE FROM hidden_avatars WHERE version = ? AND active_time > 0`, p.version))
		if err != nil {
			return fmt.Errorf("complete avatar: %w", err)
		}

		if complete == 0 {
			return errGivenUp()
		}

		err = tx.QueryRowContext(ctx,
			`INSERT INTO hidden_avatars (version, active_time) SELECT version, 0 FROM avatars WHERE user_id = ? RETURNING version`,
			p.GetUserId()).Scan(&replaced)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("hide avatar: %w", err)
		}

		return show(ctx, tx, p)
	})

	return replaced, err
}

func show(ctx context.Context, tx *sql.Tx, p picture) error {
	_, err := tx.ExecContext(ctx,
		`INSERT INTO avatars (user_id, version, content_type, size_bytes, etag, update_time) VALUES (?, ?, ?, ?, ?, ?)
		 ON CONFLICT (user_id) DO UPDATE SET
		   version = excluded.version, content_type = excluded.content_type, size_bytes = excluded.size_bytes,
		   etag = excluded.etag, update_time = excluded.update_time`,
		p.GetUserId(), p.version, p.GetContentType(), p.GetSizeBytes(), p.GetEtag(), sqlstore.Micros(p.GetUpdateTime()))
	if err != nil {
		return fmt.Errorf("show avatar: %w", err)
	}

	return nil
}

// discard deletes a version unless it is shown. It first makes sure that nobody extends or publishes it meanwhile; if it fails
// after that, sweep goes on.
func discard(ctx context.Context, db *sql.DB, version string) error {
	hidden, err := affected(db.ExecContext(ctx, `UPDATE hidden_avatars SET active_time = 0 WHERE version = ?`, version))
	if err != nil || hidden == 0 {
		return err
	}

	for deleted := int64(1); deleted > 0; {
		deleted, err = affected(db.ExecContext(ctx,
			`DELETE FROM avatar_chunks WHERE rowid IN (SELECT rowid FROM avatar_chunks WHERE version = ? LIMIT ?)`,
			version, discardStep))
		if err != nil {
			return fmt.Errorf("delete chunks: %w", err)
		}
	}

	if _, err := db.ExecContext(ctx, `DELETE FROM hidden_avatars WHERE version = ?`, version); err != nil {
		return fmt.Errorf("forget avatar: %w", err)
	}

	return nil
}

// sweep discards the uploads that were last heard of before a time, and what was left when the program ended.
func sweep(ctx context.Context, db *sql.DB, before time.Time) error {
	_, err := db.ExecContext(ctx,
		`UPDATE hidden_avatars SET active_time = 0 WHERE active_time > 0 AND active_time < ?`, before.UnixMicro())
	if err != nil {
		return fmt.Errorf("give up uploads: %w", err)
	}

	versions, err := sqlstore.List(ctx, db, scanVersion, `SELECT version FROM hidden_avatars WHERE active_time = 0`)
	if err != nil {
		return fmt.Errorf("list what is to be deleted: %w", err)
	}

	for _, version := range versions {
		if err := discard(ctx, db, version); err != nil {
			return err
		}
	}

	return nil
}

func scanVersion(row sqlstore.Row) (version string, err error) {
	err = row.Scan(&version)

	return version, err
}

func errGivenUp() error {
	return fault.Aborted("the upload paused for too long and was given up")
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, fmt.Errorf("execute: %w", err)
	}

	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("count rows: %w", err)
	}

	return n, nil
}
