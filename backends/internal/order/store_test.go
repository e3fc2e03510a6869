package order

import (
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/backends/internal/page"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

// A list in one status once read all orders of the user.
func TestListsFollowAnIndex(t *testing.T) {
	t.Parallel()

	migrations, err := fs.Sub(Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}

	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "order.db"), migrations)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })

	tests := map[string]struct {
		query query
		want  string
	}{
		"any_status": {
			query{userID: "u", after: page.Newest(), limit: 1},
			"orders_by_user (user_id=? AND (create_time,order_id)<(?,?))",
		},
		"one_status": {
			query{userID: "u", status: paid, after: page.Newest(), limit: 1},
			"orders_by_status (user_id=? AND status=? AND (create_time,order_id)<(?,?))",
		},
	}
	for name, test := range tests {
		text, args := test.query.page()

		plan, err := sqlstore.List(t.Context(), db, scanPlan, "EXPLAIN QUERY PLAN "+text, args...)
		if err != nil {
			t.Fatal(err)
		}

		if len(plan) != 1 || !strings.HasSuffix(plan[0], test.want) {
			t.Errorf("%s: the plan is %q, want %s", name, plan, test.want)
		}
	}
}

func scanPlan(row sqlstore.Row) (detail string, err error) {
	var skip int

	err = row.Scan(&skip, &skip, &skip, &detail)

	return detail, err
}
