// Package observe makes the logger, the metrics and the exporter of spans. It is the only package that knows the metrics registry
// and the SDK of OpenTelemetry.
package observe

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

// Log is a logger that never waits for the reader of what it writes. It is safe for concurrent use and must be closed.
type Log struct {
	*slog.Logger

	lines *Lines
	level *Level
}

// OpenLog returns a Log that writes to w, in the format and from the level of the configuration up. Warnings and errors are written
// at once; other lines may wait a moment for more.
func OpenLog(w io.Writer, cfg config.Log) (*Log, error) {
	level := &Level{}

	handler := func(w io.Writer) slog.Handler { return JSONHandler(w, level) }

	if cfg.Format == "text" {
		handler = func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}) }
	}

	lines := NewLines(w, func(dropped uint64) []byte { return droppedLine(handler, dropped) })

	level.logger = slog.New(byUrgency{ordinary: handler(lines), urgent: handler(lines.Urgent()), level: level})
	log := &Log{Logger: level.logger, lines: lines, level: level}

	if err := log.SetLevel(cfg.Level); err != nil {
		log.Close()

		return nil, err
	}

	return log, nil
}

// SetLevel sets the level of the configuration, from which up lines are written unless another level is in force for a while.
func (l *Log) SetLevel(name string) error {
	level, err := parseLevel(name)
	if err != nil {
		return fmt.Errorf("log: %w", err)
	}

	l.level.Configure(level)

	return nil
}

// Dropped returns how many lines were lost because they were not read in time.
func (l *Log) Dropped() uint64 { return l.lines.Dropped() }

// Close writes what is buffered, for up to a second. What is logged later is lost.
func (l *Log) Close() { l.lines.Close() }

func droppedLine(handler func(io.Writer) slog.Handler, dropped uint64) []byte {
	var line bytes.Buffer

	record := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines were dropped because they were not read in time", 0)
	record.AddAttrs(slog.Uint64("lines", dropped))
	// Writing to a buffer cannot fail.
	_ = handler(&line).Handle(context.Background(), record)

	return line.Bytes()
}

// byUrgency has one handler for warnings and errors, and one for lower levels.
type byUrgency struct {
	ordinary, urgent slog.Handler
	level            *Level
}

// BorrowsAttrs implements edge.BorrowingHandler.
func (byUrgency) BorrowsAttrs() {}

func (h byUrgency) Enabled(ctx context.Context, level slog.Level) bool {
	return h.ordinary.Enabled(ctx, level)
}

func (h byUrgency) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		return h.urgent.Handle(ctx, r)
	}

	return h.ordinary.Handle(ctx, r)
}

func (h byUrgency) WithAttrs(attrs []slog.Attr) slog.Handler {
	return byUrgency{h.ordinary.WithAttrs(attrs), h.urgent.WithAttrs(attrs), h.level}
}

func (h byUrgency) WithGroup(name string) slog.Handler {
	return byUrgency{h.ordinary.WithGroup(name), h.urgent.WithGroup(name), h.level}
}
