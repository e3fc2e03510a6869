package apikey

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync/atomic"
	"time"
)

// Store holds the keys of a file. It is safe for concurrent use.
type Store struct {
	path    string
	entries atomic.Pointer[map[string]entry]
	// text is what was read last, good or not. Only Run uses it.
	text []byte
}

// Open reads the file.
func Open(path string) (*Store, error) {
	text, err := os.ReadFile(path) //nolint:gosec // The path is configuration.
	if err != nil {
		return nil, fmt.Errorf("read API keys: %w", err)
	}

	entries, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read API keys from %s: %w", path, err)
	}

	s := &Store{path: path, text: text}
	s.entries.Store(&entries)

	return s, nil
}

// Run reads the file again whenever it has changed, looking at it once per interval, until ctx ends. While the file is not readable
// or faulty, the keys stay as they were.
func (s *Store) Run(ctx context.Context, interval time.Duration, logger *slog.Logger) {
	tick := time.NewTicker(interval)
	defer tick.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.reload(ctx, logger)
		}
	}
}

func (s *Store) reload(ctx context.Context, logger *slog.Logger) {
	text, err := os.ReadFile(s.path)
	if err == nil && bytes.Equal(text, s.text) {
		return
	}

	var entries map[string]entry

	if err == nil {
		s.text = text
		entries, err = parse(text)
	}

	if err != nil {
		logger.LogAttrs(ctx, slog.LevelWarn, "API keys stay as they were", slog.String("file", s.path), slog.Any("error", err))

		return
	}

	s.entries.Store(&entries)
	logger.LogAttrs(ctx, slog.LevelInfo, "API keys read", slog.String("file", s.path), slog.Int("keys", len(entries)))
}
