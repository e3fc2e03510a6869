// Package filewatch reads files again when they change. Content that is missing, faulty or still being written never takes effect;
// it is logged once, and shown as a metric.
//
// It polls: a file that is replaced by renaming, or behind a symbolic link that is replaced (as Kubernetes does with mounted
// secrets), is found by its path like any other, and no file system notifies about changes on another machine.
package filewatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"
)

// State is the state of files at the last poll.
type State int

// The states. In all but Current, the previous content stays in use.
const (
	Current State = iota
	Missing
	Faulty
)

// maxSettle is how long content must have stayed the same before it is used, if the interval is not shorter. Writing a file in
// place takes milliseconds.
const maxSettle = time.Second

// maxChanging is after how many polls in a row files that change each time count as faulty.
const maxChanging = 3

// errChanging is the error of Poll while files are being written.
var errChanging = errors.New("the content changes all the time")

// Observer gets states. It must be safe for concurrent use.
type Observer interface {
	ObserveFile(setting string, state State)
}

// Config says how files are watched.
type Config struct {
	// Setting names the files, as the configuration does: "auth.api_keys.file".
	Setting string
	// Interval is how often they are polled.
	Interval time.Duration
	Logger   *slog.Logger
	// Observer may be nil.
	Observer Observer
}

// Watcher watches some files that belong together. One goroutine may use it.
type Watcher struct {
	paths  []string
	accept func(texts [][]byte) error
	// texts are what was read last, and fault is the error of accept for it.
	texts [][]byte
	fault error

	state State
	cause string
	// changing is how many polls in a row found that the files were being written.
	changing int
}

// Open reads the files and passes them to accept, in that order; an empty path is a file without content. Later accept gets all of
// them whenever one has changed. If it returns an error, the previous content should stay in use.
func Open(accept func(texts [][]byte) error, paths ...string) (*Watcher, error) {
	texts, err := read(paths)
	if err != nil {
		return nil, err
	}

	if err := accept(texts); err != nil {
		return nil, err
	}

	return &Watcher{paths: paths, accept: accept, texts: texts}, nil
}

// Run polls the files once per interval until ctx ends.
func (w *Watcher) Run(ctx context.Context, config Config) {
	w.Begin(config)

	tick := time.NewTicker(config.Interval)
	defer tick.Stop()

	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			_ = w.Poll(ctx, config) // It was logged.
		}
	}
}

// Begin shows the state of the files to the observer.
func (w *Watcher) Begin(config Config) {
	if config.Observer != nil {
		config.Observer.ObserveFile(config.Setting, w.state)
	}
}

// Poll reads the files once. The error says why their current content is not in use; it has been logged, if it is a new one.
func (w *Watcher) Poll(ctx context.Context, config Config) error {
	texts, err := read(w.paths)

	if !w.known(texts, err) {
		texts, err = settled(ctx, min(config.Interval, maxSettle), w.paths, texts, err)
	}

	if !errors.Is(err, errChanging) {
		w.changing = 0
	} else if w.changing++; w.changing < maxChanging {
		return err // It may be complete at the next poll.
	}

	if err != nil {
		w.report(ctx, config, err, false)
		return err
	}

	changed := !equal(texts, w.texts)
	if changed {
		w.texts, w.fault = texts, w.accept(texts)
	}

	w.report(ctx, config, w.fault, changed)

	return w.fault
}

// known reports whether the result was the same at the last poll.
func (w *Watcher) known(texts [][]byte, err error) bool {
	if err != nil {
		return err.Error() == w.cause
	}

	return equal(texts, w.texts)
}

// settled returns the content of the files if it is the same a little later.
func settled(ctx context.Context, wait time.Duration, paths []string, texts [][]byte, err error) ([][]byte, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()

	select {
	case <-ctx.Done():
		return nil, errChanging
	case <-timer.C:
	}

	again, errAgain := read(paths)
	if fmt.Sprint(err) != fmt.Sprint(errAgain) || !equal(texts, again) {
		return nil, errChanging
	}

	return again, errAgain
}

// report logs and shows a change of state.
func (w *Watcher) report(ctx context.Context, config Config, err error, changed bool) {
	state, cause := Current, ""

	switch {
	case errors.Is(err, fs.ErrNotExist):
		state, cause = Missing, err.Error()
	case err != nil:
		state, cause = Faulty, err.Error()
	}

	if state == w.state && cause == w.cause && (state != Current || !changed) {
		return
	}

	back := w.state != Current
	w.state, w.cause = state, cause

	if config.Observer != nil {
		config.Observer.ObserveFile(config.Setting, state)
	}

	setting := slog.String("setting", config.Setting)

	if state == Current {
		config.Logger.LogAttrs(ctx, slog.LevelInfo, "file read again", setting,
			slog.Bool("changed", changed), slog.Bool("was_unusable", back))
	} else {
		config.Logger.LogAttrs(ctx, slog.LevelWarn, "file cannot be used; the previous content stays in use", setting,
			slog.Any("error", err))
	}
}

func read(paths []string) ([][]byte, error) {
	texts := make([][]byte, len(paths))

	for i, path := range paths {
		if path == "" {
			continue
		}

		text, err := os.ReadFile(path) //nolint:gosec // The path is configuration.
		if err != nil {
			return nil, fmt.Errorf("read file: %w", err)
		}

		// In no format here an empty file has a meaning, so it is about to be written.
		if len(bytes.TrimSpace(text)) == 0 {
			return nil, fmt.Errorf("read file: %s is empty", path)
		}

		texts[i] = text
	}

	return texts, nil
}

func equal(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }
