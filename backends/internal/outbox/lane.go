package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

const (
	// firstDelay and lastDelay bound the wait between attempts; it doubles from one to the other.
	firstDelay = 50 * time.Millisecond
	lastDelay  = 5 * time.Second
	// idleDelay is how often to look without being woken: another process may share the database.
	idleDelay = 5 * time.Second
	// attemptTimeout is for one delivery.
	attemptTimeout = 5 * time.Second
	// errorLimit bounds the stored text of an error, in bytes.
	errorLimit = 500
)

// lane delivers the messages of one topic.
type lane struct {
	db     *sql.DB
	logger *slog.Logger
	topic  string
	handle Handler
	wake   chan struct{}
}

func (l *lane) run(ctx context.Context) {
	delay := firstDelay

	for ctx.Err() == nil {
		err := l.drain(ctx)
		if err == nil {
			delay = firstDelay

			l.sleep(ctx, idleDelay, l.wake)

			continue
		}

		if ctx.Err() == nil {
			l.logger.WarnContext(ctx, "delivery failed, will try again", "error", err, "delay", delay)
		}
		// A new message does not make the receiver come back: no wake here.
		l.sleep(ctx, delay, nil)
		delay = min(delay+delay, lastDelay)
	}
}

func (l *lane) sleep(ctx context.Context, delay time.Duration, wake <-chan struct{}) {
	timer := time.NewTimer(delay)
	defer timer.Stop()

	select {
	case <-ctx.Done():
	case <-wake:
	case <-timer.C:
	}
}

// drain delivers until nothing is left or an attempt fails in a way that may pass.
func (l *lane) drain(ctx context.Context) error {
	for {
		seq, message, err := l.next(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}

		if err != nil {
			return err
		}

		if err := l.deliver(ctx, seq, message); err != nil {
			return err
		}
	}
}

func (l *lane) next(ctx context.Context) (int64, Message, error) {
	var (
		seq int64
		m   Message
	)

	err := l.db.QueryRowContext(ctx,
		`SELECT seq, id, payload, request_id FROM outbox WHERE topic = ? AND parked_time IS NULL ORDER BY seq LIMIT 1`,
		l.topic).Scan(&seq, &m.ID, &m.Payload, &m.RequestID)
	if err != nil {
		return 0, Message{}, fmt.Errorf("read next message: %w", err)
	}

	return seq, m, nil
}

func (l *lane) deliver(ctx context.Context, seq int64, m Message) error {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()

	err := l.handle(attempt, m)
	// What came of it is stored also when the process is about to stop, so that it is not done twice without need.
	ctx = context.WithoutCancel(ctx)

	switch {
	case err == nil:
		return l.exec(ctx, `DELETE FROM outbox WHERE seq = ?`, seq)
	case permanent(err):
		l.logger.ErrorContext(ctx, "message refused, parked", "id", m.ID, "request_id", m.RequestID, "error", err)

		return l.exec(ctx, `UPDATE outbox SET attempts = attempts + 1, parked_time = ?, last_error = ? WHERE seq = ?`,
			sqlstore.Micros(sqlstore.Now()), shorten(err), seq)
	default:
		noted := l.exec(ctx, `UPDATE outbox SET attempts = attempts + 1, last_error = ? WHERE seq = ?`, shorten(err), seq)

		return errors.Join(fmt.Errorf("deliver message %s: %w", m.ID, err), noted)
	}
}

func (l *lane) exec(ctx context.Context, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()

	if _, err := l.db.ExecContext(ctx, query, args...); err != nil {
		return fmt.Errorf("note delivery: %w", err)
	}

	return nil
}

// permanent reports whether trying again cannot help.
func permanent(err error) bool {
	if errors.Is(err, ErrRefused) {
		return true
	}

	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.FailedPrecondition, codes.PermissionDenied:
		return true
	default:
		return false
	}
}

func shorten(err error) string {
	text := err.Error()

	return strings.ToValidUTF8(text[:min(len(text), errorLimit)], "") // The cut may go through a character.
}
