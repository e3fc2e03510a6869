package vault

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

// maxFile is the size of the largest file of keys in bytes: far more than anyone has.
const maxFile = 64 << 10

var errFileSize = fmt.Errorf("is larger than %d KiB", maxFile>>10)

// File is a vault with the keys of a file. It is safe for concurrent use.
type File struct {
	vault   atomic.Pointer[Vault]
	watcher *filewatch.Watcher
}

// Open reads a file with one key a line; see config.Sessions. Errors name the file and never show what is in it.
func Open(path string) (*File, error) {
	f := &File{}

	var err error

	f.watcher, err = filewatch.Open(func(texts [][]byte) error {
		made, err := parse(texts[0])
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}

		f.vault.Store(made)

		return nil
	}, path)
	if err != nil {
		return nil, err
	}

	return f, nil
}

// Vault returns the vault as of the last poll at which the file was usable.
func (f *File) Vault() *Vault { return f.vault.Load() }

// Watch reads the file again when it has changed, until ctx ends. While it is faulty, the previous keys stay in use.
func (f *File) Watch(ctx context.Context, cfg filewatch.Config) { f.watcher.Run(ctx, cfg) }

func parse(text []byte) (*Vault, error) {
	if len(text) > maxFile {
		return nil, errFileSize
	}

	lines := slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })

	keys, err := config.ParseSessionKeys(lines)
	if err != nil {
		return nil, err
	}

	return New(keys)
}
