package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/backends/internal/order"
	"github.com/portico-gateway/portico/backends/internal/outbox"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

// attempt is one delivery, as the handler saw it.
type attempt struct {
	payload, id, requestID string
}

// start runs an outbox with the topic "t" whose handler answers with the errors, one per attempt, then with none.
func start(t *testing.T, payloads []string, errs ...error) (*sql.DB, <-chan attempt) {
	t.Helper()

	migrations, err := fs.Sub(order.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}

	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), migrations)
	if err != nil {
		t.Fatal(err)
	}

	attempts := make(chan attempt, 100)
	box := outbox.New(db, slog.New(slog.DiscardHandler), map[string]outbox.Handler{
		"t": func(_ context.Context, m outbox.Message) error {
			attempts <- attempt{payload: string(m.Payload), id: m.ID, requestID: m.RequestID}

			if len(errs) == 0 {
				return nil
			}

			err := errs[0]
			errs = errs[1:]

			return err
		},
	})

	for _, payload := range payloads {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("x-request-id", "request-of-"+payload))
		if err := sqlstore.Tx(ctx, db, func(tx *sql.Tx) error { return box.Add(ctx, tx, "t", []byte(payload)) }); err != nil {
			t.Fatal(err)
		}
	}

	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})

	go func() {
		defer close(done)

		box.Run(ctx)
	}()

	t.Cleanup(func() {
		stop()
		<-done

		_ = db.Close()
	})

	return db, attempts
}

func take(t *testing.T, attempts <-chan attempt, n int) []attempt {
	t.Helper()

	var got []attempt

	for range n {
		select {
		case a := <-attempts:
			got = append(got, a)
		case <-time.After(10 * time.Second):
			t.Fatalf("only these attempts: %v", got)
		}
	}

	return got
}

func TestRetriesInOrder(t *testing.T) {
	t.Parallel()

	_, attempts := start(t, []string{"a", "b"}, status.Error(codes.Unavailable, "down"), errors.New("odd"))
	got := take(t, attempts, 4)

	var payloads []string
	for _, a := range got {
		payloads = append(payloads, a.payload)
	}

	if diff := cmp.Diff([]string{"a", "a", "a", "b"}, payloads); diff != "" {
		t.Errorf("attempts (-want +got):\n%s", diff)
	}

	if got[0].id != got[2].id || got[2].id == got[3].id {
		t.Errorf("ids of attempts are %v", got)
	}

	if got[3].requestID != "request-of-b" {
		t.Errorf("request id is %q", got[3].requestID)
	}
}

func TestParksWhatIsRefused(t *testing.T) {
	t.Parallel()

	for name, refusal := range map[string]error{
		"invalid":      status.Error(codes.InvalidArgument, "no"),
		"not_found":    status.Error(codes.NotFound, "no"),
		"precondition": status.Error(codes.FailedPrecondition, "no"),
		"denied":       status.Error(codes.PermissionDenied, "no"),
		"undecodable":  outbox.ErrRefused,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			db, attempts := start(t, []string{"bad", "good"}, refusal)
			if got := take(t, attempts, 2); got[1].payload != "good" {
				t.Fatalf("attempts are %v", got)
			}

			var parked, reason string

			err := db.QueryRowContext(t.Context(), `SELECT CAST(payload AS TEXT), last_error FROM outbox WHERE parked_time IS NOT NULL`).
				Scan(&parked, &reason)
			if err != nil || parked != "bad" || reason == "" {
				t.Errorf("parked %q for %q, %v", parked, reason, err)
			}
		})
	}
}

func TestRollbackSendsNothing(t *testing.T) {
	t.Parallel()

	db, attempts := start(t, nil)
	box := outbox.New(db, slog.New(slog.DiscardHandler), map[string]outbox.Handler{"t": nil})
	undo := errors.New("undo")

	err := sqlstore.Tx(t.Context(), db, func(tx *sql.Tx) error {
		return errors.Join(box.Add(t.Context(), tx, "t", []byte("x")), undo)
	})
	if !errors.Is(err, undo) {
		t.Fatal(err)
	}

	var left int
	if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM outbox`).Scan(&left); err != nil || left+len(attempts) != 0 {
		t.Errorf("%d messages and %d attempts, %v", left, len(attempts), err)
	}

	err = sqlstore.Tx(t.Context(), db, func(tx *sql.Tx) error { return box.Add(t.Context(), tx, "unknown", nil) })
	if err == nil {
		t.Error("a topic without a handler was accepted")
	}
}
