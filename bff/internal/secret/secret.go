// Package secret reads secrets, such as passwords, from files that are read again when they change: mounted secrets of Kubernetes
// and Docker, and credentials of systemd.
//
// It does not know what a secret is for.
package secret

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

// maxBytes is far more than any password, token or URL has. A larger file is a mistake.
const maxBytes = 64 << 10

// Faults of the content of a file.
var (
	errTooLarge = fmt.Errorf("is larger than %d KiB, which no secret is", maxBytes>>10)
	errLines    = errors.New("has more than one line")
)

// File is a secret in a file. It is safe for concurrent use.
type File struct {
	value   atomic.Pointer[string]
	watcher *filewatch.Watcher
}

// Open reads the file: one line, whose end may be missing. accept, unless it is nil, refuses content that is no such secret. Errors
// name the file and never show what is in it.
func Open(path string, accept func(value string) error) (*File, error) {
	f := &File{}

	var err error

	f.watcher, err = filewatch.Open(func(texts [][]byte) error {
		value, err := parse(texts[0])
		if err == nil && accept != nil {
			err = accept(value)
		}

		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}

		f.value.Store(&value)

		return nil
	}, path)
	if err != nil {
		return nil, err
	}

	return f, nil
}

// Value returns the secret as of the last poll at which the file was usable.
func (f *File) Value() string { return *f.value.Load() }

// Watch reads the file again when it has changed, until ctx ends. While it is faulty, the previous content stays in use.
func (f *File) Watch(ctx context.Context, config filewatch.Config) { f.watcher.Run(ctx, config) }

// parse returns the text without the end of its line.
func parse(text []byte) (string, error) {
	if len(text) > maxBytes {
		return "", errTooLarge
	}

	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if strings.ContainsAny(value, "\r\n") {
		return "", errLines
	}

	return value, nil
}
