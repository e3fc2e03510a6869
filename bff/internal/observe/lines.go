package observe

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

// Lines collects what is written and passes it on many lines at a time: a system call for each would cost a request more than its
// policies do. It is safe for concurrent use.
type Lines struct {
	w io.Writer

	mu      sync.Mutex
	buffer  []byte
	waiting bool
}

const (
	// lineDelay is how long a line may wait.
	lineDelay = 100 * time.Millisecond
	// maxLines is how much may wait, in bytes.
	maxLines = 64 << 10
)

// NewLines returns a writer in front of w. Who makes it must Flush it in the end.
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

// Write never fails: where lines go, there is nobody to tell.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.buffer = append(l.buffer, p...)

	switch {
	case len(l.buffer) >= maxLines:
		l.pass()
	case !l.waiting:
		l.waiting = true

		time.AfterFunc(lineDelay, l.Flush)
	}

	return len(p), nil
}

// Flush passes on what waits.
func (l *Lines) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.waiting = false
	l.pass()
}

func (l *Lines) pass() {
	if len(l.buffer) > 0 {
		_, _ = l.w.Write(l.buffer)
		l.buffer = l.buffer[:0]
	}
}

// urgent is a handler of which warnings and errors do not wait: the process may be about to end.
type urgent struct {
	slog.Handler

	lines *Lines
}

func (h urgent) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	if r.Level >= slog.LevelWarn {
		h.lines.Flush()
	}

	return err //nolint:wrapcheck // The handler's own.
}

func (h urgent) WithAttrs(attrs []slog.Attr) slog.Handler {
	return urgent{h.Handler.WithAttrs(attrs), h.lines}
}

func (h urgent) WithGroup(name string) slog.Handler {
	return urgent{h.Handler.WithGroup(name), h.lines}
}
