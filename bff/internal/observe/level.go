package observe

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Level is the level of a log: that of the configuration, or for a while another one. It is a slog.Leveler, and safe for concurrent
// use.
type Level struct {
	current slog.LevelVar
	// logger gets a line for each change. It is set before the first one.
	logger *slog.Logger

	mu         sync.Mutex
	configured slog.Level
	// until is when the configured level applies again. Zero: it does.
	until time.Time
	timer *time.Timer
}

// parseLevel returns the level with one of the names debug, info, warn and error, in any case.
func parseLevel(name string) (slog.Level, error) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if strings.EqualFold(level.String(), name) {
			return level, nil
		}
	}

	return 0, fmt.Errorf("level: %.50q is not one of debug, info, warn, error", name)
}

// nameOf is the name of a level, as in the configuration.
func nameOf(level slog.Level) string { return strings.ToLower(level.String()) }

// Level implements slog.Leveler.
func (l *Level) Level() slog.Level { return l.current.Level() }

// State returns the name of the level, that of the configuration, and until when they may differ; zero: they do not.
func (l *Level) State() (current, configured string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()

	return nameOf(l.current.Level()), nameOf(l.configured), l.until
}

// Configure sets the level of the configuration. While another one is in force, it applies at the end of that.
func (l *Level) Configure(level slog.Level) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.configured = level
	if l.until.IsZero() {
		l.current.Set(level)
	}
}

// Override sets another level, by its name, until a time has passed, or until the next Override or Reset.
func (l *Level) Override(name string, during time.Duration) error {
	level, err := parseLevel(name)
	if err != nil {
		return err
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	if l.timer != nil {
		l.timer.Stop()
	}

	until := time.Now().Add(during)
	l.until = until
	l.timer = time.AfterFunc(during, func() { l.end(until) })
	l.set(level, slog.Time("until", until))

	return nil
}

// Reset sets the level of the configuration again.
func (l *Level) Reset() {
	l.mu.Lock()
	until := l.until
	l.mu.Unlock()

	l.end(until)
}

// end ends the override until then, unless there is another one by now.
func (l *Level) end(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if until.IsZero() || !l.until.Equal(until) {
		return
	}

	l.timer.Stop()
	l.until = time.Time{}
	l.set(l.configured)
}

// set sets the level, and logs that as a warning, so that it is seen at most levels. The caller holds the lock.
func (l *Level) set(level slog.Level, attrs ...slog.Attr) {
	l.current.Set(level)

	attrs = append([]slog.Attr{slog.String("log_level", nameOf(level))}, attrs...)
	l.logger.LogAttrs(context.Background(), slog.LevelWarn, "the log level was changed", attrs...)
}

// LevelOf returns the level of a logger of a Log; nil if it is not one.
func LevelOf(logger *slog.Logger) *Level {
	if handler, ok := logger.Handler().(byUrgency); ok {
		return handler.level
	}

	return nil
}
