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
)

const (
	// firstDelay and lastDelay bound the wait between attempts; it doubles from one to the other.
	firstDelay = 50 * time.Millisecond
	lastDelay  = 30 * time.Second
	// outageDelay is the wait while the receiver cannot be reached.
	outageDelay = time.Second
	// idleDelay is how often to look without being woken: another process may share the database.
	idleDelay = 5 * time.Second
	// attemptTimeout is for one delivery.
	attemptTimeout = 5 * time.Second
	// lease is how long a message is its process's alone: longer than an attempt with the note of what came of it.
	lease = 3 * attemptTimeout
	// maxAttempts is how often a receiver may fail to accept a message: some seven minutes.
	maxAttempts = 20
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
	for ctx.Err() == nil {
		delay, err := l.drain(ctx)
		if err != nil {
			delay = lastDelay

			if ctx.Err() == nil {
				l.logger.ErrorContext(ctx, "outbox cannot be read or written", "error", err)
			}
		}

		l.sleep(ctx, delay)
	}
}

func (l *lane) sleep(ctx context.Context, delay time.Duration) {
	timer := time.NewTimer(delay)
	defer timer.Stop()

	select {
	case <-ctx.Done():
	case <-l.wake:
	case <-timer.C:
	}
}

// drain delivers until nothing is due, and returns how long to wait then.
func (l *lane) drain(ctx context.Context) (time.Duration, error) {
	for {
		m, err := l.claim(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return l.untilDue(ctx)
		}

		if err != nil {
			return 0, err
		}

		if err := l.deliver(ctx, m); err != nil {
			return 0, err
		}
	}
}

// claimed is the first message of a topic, which nobody else attempts to deliver during the lease.
type claimed struct {
	Message

	seq int64
	// attempts counts those that failed, but for those that did not reach the receiver.
	attempts int
	// until is when the lease ends, in microseconds. It tells this lease from a later one.
	until int64
}

// claim gives an error with sql.ErrNoRows if there is no message, or the first is not due. Those behind it wait for it.
func (l *lane) claim(ctx context.Context) (m claimed, err error) {
	now := time.Now()
	m.until = now.Add(lease).UnixMicro()

	err = l.db.QueryRowContext(ctx,
		`UPDATE outbox SET due_time = ?
		 WHERE seq = (SELECT seq FROM outbox WHERE topic = ? AND parked_time IS NULL ORDER BY seq LIMIT 1) AND due_time <= ?
		 RETURNING seq, id, payload, request_id, attempts`,
		m.until, l.topic, now.UnixMicro()).Scan(&m.seq, &m.ID, &m.Payload, &m.RequestID, &m.attempts)
	if err != nil {
		return claimed{}, fmt.Errorf("claim next message: %w", err)
	}

	return m, nil
}

// untilDue returns how long the first message is not due, or how long to wait for one.
func (l *lane) untilDue(ctx context.Context) (time.Duration, error) {
	var due int64

	err := l.db.QueryRowContext(ctx,
		`SELECT due_time FROM outbox WHERE topic = ? AND parked_time IS NULL ORDER BY seq LIMIT 1`, l.topic).Scan(&due)
	if errors.Is(err, sql.ErrNoRows) {
		return idleDelay, nil
	}

	if err != nil {
		return 0, fmt.Errorf("read next message: %w", err)
	}

	return min(max(time.Until(time.UnixMicro(due)), 0), idleDelay), nil
}

// deliver makes one attempt and notes what came of it, even when the process is about to stop, so that it is not done twice without
// need.
func (l *lane) deliver(ctx context.Context, m claimed) error {
	attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()

	err := l.handle(attempt, m.Message)

	switch {
	case err == nil:
		return l.exec(ctx, `DELETE FROM outbox WHERE seq = ?`, m.seq)
	case ctx.Err() != nil: // It was broken off.
		return l.retry(ctx, m, 0, m.attempts, err)
	case status.Code(err) == codes.Unavailable:
		return l.retry(ctx, m, outageDelay, m.attempts, err)
	case permanent(err), m.attempts+1 >= maxAttempts:
		l.logger.ErrorContext(ctx, "message parked", "id", m.ID, "request_id", m.RequestID, "attempts", m.attempts+1, "error", err)

		return l.exec(ctx, `UPDATE outbox SET attempts = ?, parked_time = ?, last_error = ? WHERE seq = ? AND due_time = ?`,
			m.attempts+1, time.Now().UnixMicro(), shorten(err), m.seq, m.until)
	default:
		return l.retry(ctx, m, backoff(m.attempts), m.attempts+1, err)
	}
}

// retry ends the lease, so that the message is due after the delay.
func (l *lane) retry(ctx context.Context, m claimed, delay time.Duration, attempts int, err error) error {
	l.logger.WarnContext(ctx, "delivery failed, will try again",
		"id", m.ID, "request_id", m.RequestID, "error", err, "delay", delay)

	return l.exec(ctx, `UPDATE outbox SET attempts = ?, due_time = ?, last_error = ? WHERE seq = ? AND due_time = ?`,
		attempts, time.Now().Add(delay).UnixMicro(), shorten(err), m.seq, m.until)
}

// backoff is the wait after an attempt that comes after so many others.
func backoff(attempts int) time.Duration {
	const doublings = 10 // From firstDelay to more than lastDelay.

	return min(firstDelay<<min(attempts, doublings), lastDelay)
}

func (l *lane) exec(ctx context.Context, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
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
