package apikey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.yaml.in/yaml/v3"
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

// Marshal is an entry as it stands in a file.
func (e Entry) Marshal() ([]byte, error) {
	text, err := yaml.Marshal(map[string][]Entry{"keys": {e}})
	if err != nil {
		return nil, fmt.Errorf("marshal API key: %w", err)
	}

	return text, nil
}

// Add adds an entry at the end of the file, which is made if there is none. What stands there already stays as it is; a file to
// which nothing can be added in this way is refused.
func Add(path string, e Entry) error {
	const onlyOwner = 0o600

	before, err := os.ReadFile(path) //nolint:gosec // The operator names the file.
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read API keys: %w", err)
	}

	text, err := e.Marshal()
	if err != nil {
		return err
	}

	known, err := parse(before)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}

	after := text
	if len(known) > 0 {
		_, item, _ := bytes.Cut(text, []byte("\n"))
		after = append(bytes.TrimRight(before, "\n"), append([]byte("\n"), item...)...)
	}

	if entries, err := parse(after); err != nil || len(entries) != len(known)+1 {
		return fmt.Errorf("%s: cannot add to it: %w", path, errors.Join(err, errors.New("the list of keys must be at its end")))
	}

	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+e.ID)
	if err := os.WriteFile(temp, after, onlyOwner); err != nil {
		return fmt.Errorf("write API keys: %w", err)
	}

	if err := os.Rename(temp, path); err != nil {
		return errors.Join(fmt.Errorf("write API keys: %w", err), os.Remove(temp))
	}

	return nil
}
