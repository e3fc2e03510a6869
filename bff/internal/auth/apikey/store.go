package apikey

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

// Store holds the keys of a file. It is safe for concurrent use.
type Store struct {
	entries atomic.Pointer[map[string]entry]
	watcher *filewatch.Watcher
}

// Open reads the file.
func Open(path string) (*Store, error) {
	s := &Store{}

	var err error

	s.watcher, err = filewatch.Open(func(texts [][]byte) error {
		entries, err := parseFile(texts[0])
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}

		s.entries.Store(&entries)

		return nil
	}, path)
	if err != nil {
		return nil, fmt.Errorf("API keys: %w", err)
	}

	return s, nil
}

// Run reads the file again whenever it has changed, until ctx ends. While the file is not readable or faulty, the keys stay as
// they were.
func (s *Store) Run(ctx context.Context, config filewatch.Config) { s.watcher.Run(ctx, config) }
