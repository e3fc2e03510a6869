package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
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

	db := open(t)
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

	add(t, db, box, payloads...)
	run(t, box)

	return db, attempts
}

func open(t *testing.T) *sql.DB {
	t.Helper()

	migrations, err := fs.Sub(order.Migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}

	db, err := sqlstore.Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), migrations)
	if err != nil {
		t.Fatal(err)
	}

	t.Cleanup(func() { _ = db.Close() })

	return db
}

func add(t *testing.T, db *sql.DB, box *outbox.Outbox, payloads ...string) {
	t.Helper()

	for _, payload := range payloads {
		ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("x-request-id", "request-of-"+payload))
		if err := sqlstore.Tx(ctx, db, func(tx *sql.Tx) error { return box.Add(ctx, tx, "t", []byte(payload)) }); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs outboxes until the test ends.
func run(t *testing.T, boxes ...*outbox.Outbox) {
	t.Helper()

	ctx, stop := context.WithCancel(t.Context())

	var running sync.WaitGroup
	for _, box := range boxes {
		running.Go(func() { box.Run(ctx) })
	}

	t.Cleanup(func() {
		stop()
		running.Wait()
	})
}

func take(t *testing.T, attempts <-chan attempt, n int) []attempt {
	t.Helper()

	var got []attempt

	for range n {
		select {
		case a := <-attempts:
			got = append(got, a)
		case <-time.After(time.Minute):
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

// Replicas share a database. Once, each of them delivered what it found, so that a message that was slow came after the next.
func TestReplicasKeepTheOrder(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		const messages = 12

		var (
			db       = open(t)
			delivery sync.Mutex
			got      []string
			replicas = make([]*outbox.Outbox, 3)
			want     []string
		)

		for i := range replicas {
			replicas[i] = outbox.New(db, slog.New(slog.DiscardHandler), map[string]outbox.Handler{
				"t": func(_ context.Context, m outbox.Message) error {
					if !delivery.TryLock() {
						t.Errorf("%s is delivered beside another", m.Payload)

						return nil
					}
					defer delivery.Unlock()

					got = append(got, string(m.Payload))

					time.Sleep(3 * time.Second) // Longer than the others wait before they look.

					if len(got)%3 == 1 {
						return errors.New("odd")
					}

					return nil
				},
			})
		}

		for i := range messages {
			add(t, db, replicas[i%len(replicas)], string(rune('a'+i)))
			want = append(want, string(rune('a'+i)))
		}

		run(t, replicas...)
		time.Sleep(3 * time.Minute)
		synctest.Wait()

		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Errorf("deliveries (-want +got):\n%s", diff)
		}
	})
}

// Once, a message that its receiver could not bear stopped all that came after it for good.
func TestParksWhatFailsTooOften(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var (
			db       = open(t)
			attempts = map[string]int{}
			outage   = 100
		)

		box := outbox.New(db, slog.New(slog.DiscardHandler), map[string]outbox.Handler{
			"t": func(_ context.Context, m outbox.Message) error {
				if outage > 0 { // This is not the message's fault, however long it takes.
					outage--

					return status.Error(codes.Unavailable, "down")
				}

				attempts[string(m.Payload)]++

				if string(m.Payload) == "bad" {
					return status.Error(codes.Internal, "no")
				}

				return nil
			},
		})

		add(t, db, box, "bad", "good")
		run(t, box)
		time.Sleep(15 * time.Minute)
		synctest.Wait()

		if diff := cmp.Diff(map[string]int{"bad": 20, "good": 1}, attempts); diff != "" {
			t.Errorf("attempts (-want +got):\n%s", diff)
		}

		var left, parked int
		if err := db.QueryRowContext(t.Context(), `SELECT count(*), count(parked_time) FROM outbox`).Scan(&left, &parked); err != nil ||
			left != 1 || parked != 1 {
			t.Errorf("%d messages are left and %d parked, %v", left, parked, err)
		}
	})
}

// What a process had claimed when it was killed is another's after the lease.
func TestLeaseEnds(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		db, delivered := open(t), time.Time{}
		box := outbox.New(db, slog.New(slog.DiscardHandler), map[string]outbox.Handler{
			"t": func(context.Context, outbox.Message) error {
				delivered = time.Now()

				return nil
			},
		})

		add(t, db, box, "a")

		const left = 12 * time.Second

		start := time.Now()
		if _, err := db.ExecContext(t.Context(), `UPDATE outbox SET due_time = ?`, start.Add(left).UnixMicro()); err != nil {
			t.Fatal(err)
		}

		run(t, box)
		time.Sleep(time.Minute)
		synctest.Wait()

		if took := delivered.Sub(start); took < left || took > left+time.Second {
			t.Errorf("it was delivered after %v", took)
		}
	})
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
