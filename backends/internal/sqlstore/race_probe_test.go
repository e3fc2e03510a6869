package sqlstore_test

import (
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

func TestProbe(t *testing.T) {
	migrations := fstest.MapFS{
		"00001_t.sql": {Data: []byte("-- +goose Up\nCREATE TABLE t (x TEXT NOT NULL) STRICT;\n")},
		"00002_t.sql": {Data: []byte("-- +goose Up\nCREATE TABLE u (x TEXT NOT NULL) STRICT;\n")},
	}
	for range 10 {
		path := filepath.Join(t.TempDir(), "t.db")
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				db, err := sqlstore.Open(t.Context(), path, migrations)
				if err != nil {
					t.Error(err)
					return
				}
				_ = db.Close()
			})
		}
		wg.Wait()
	}
}
