package profile_test

import (
	"bytes"
	"io/fs"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/portico-gateway/portico/backends/internal/profile"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

// Pictures were stored in chunks. Those that are small enough are kept.
func TestMigrationKeepsSmallAvatars(t *testing.T) {
	t.Parallel()

	all, err := fs.Sub(profile.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}

	before := fstest.MapFS{}

	for _, name := range []string{"00001_profiles.sql", "00002_avatars.sql"} {
		text, err := fs.ReadFile(all, name)
		if err != nil {
			t.Fatal(err)
		}

		before[name] = &fstest.MapFile{Data: text}
	}

	path := filepath.Join(t.TempDir(), "profile.db")

	db, err := sqlstore.Open(t.Context(), path, before)
	if err != nil {
		t.Fatal(err)
	}

	_, err = db.ExecContext(t.Context(), `
		INSERT INTO avatars VALUES ('alice', 'v1', 'image/png', 5, '"a"', 7), ('bob', 'v2', 'image/png', 4194305, '"b"', 8);
		INSERT INTO avatar_chunks VALUES ('v1', 3, x'00ff'), ('v1', 0, x'89500d'), ('v2', 0, x'01'), ('v3', 0, x'02');
		INSERT INTO hidden_avatars VALUES ('v3', 0);`)
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

	var (
		user, etag string
		data       []byte
		updated    int64
	)

	// Also that it is the only one: all columns of several rows would differ from it.
	err = db.QueryRowContext(t.Context(), `SELECT group_concat(user_id), data, etag, update_time FROM avatars`).
		Scan(&user, &data, &etag, &updated)
	if err != nil || user != "alice" || !bytes.Equal(data, []byte("\x89P\r\x00\xff")) || etag != `"a"` || updated != 7 {
		t.Errorf("the avatar of %q is % x with the etag %s of %d, %v", user, data, etag, updated, err)
	}
}
