package filewatch_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

const interval = 10 * time.Second

// watched is a file in a folder, what is read from it, and what is told of it.
type watched struct {
	dir, path string

	mu     sync.Mutex
	text   string
	told   []filewatch.State
	logged strings.Builder
}

// current is what is in use.
func (w *watched) current() string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.text
}

func (w *watched) states() []filewatch.State {
	w.mu.Lock()
	defer w.mu.Unlock()

	return slices.Clone(w.told)
}

func (w *watched) log() string {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.logged.String()
}

// Write implements io.Writer for the log.
func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()

	return w.logged.Write(p)
}

// ObserveFile implements filewatch.Observer.
func (w *watched) ObserveFile(setting string, state filewatch.State) {
	w.mu.Lock()
	defer w.mu.Unlock()

	if setting == "some.file" {
		w.told = append(w.told, state)
	}
}

func (w *watched) write(t *testing.T, text string) {
	t.Helper()

	if err := os.WriteFile(w.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// accept refuses texts that do not end with a dot.
func (w *watched) accept(texts [][]byte) error {
	text := string(texts[0])
	if !strings.HasSuffix(text, ".") {
		return errors.New("no dot at the end of " + text)
	}

	w.mu.Lock()
	defer w.mu.Unlock()

	w.text = text

	return nil
}

// watch runs a test in virtual time over a file that says "one.".
func watch(t *testing.T, f func(t *testing.T, w *watched)) {
	t.Helper()

	w := &watched{dir: t.TempDir()}
	w.path = filepath.Join(w.dir, "file")
	w.write(t, "one.")

	watcher, err := filewatch.Open(w.accept, w.path, "")
	if err != nil {
		t.Fatal(err)
	}

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()

		go watcher.Run(ctx, filewatch.Config{
			Setting: "some.file", Interval: interval, Logger: slog.New(slog.NewTextHandler(w, nil)), Observer: w,
		})

		f(t, w)
		cancel()
		synctest.Wait()
	})
}

// passes lets looks pass.
func passes(looks int) {
	time.Sleep(time.Duration(looks)*interval + 2*time.Second)
	synctest.Wait()
}

// Once, a file of 0 bytes meant that there was nothing in it, and a missing one was a line with each look.
func TestFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		spoil func(t *testing.T, w *watched)
		state filewatch.State
		cause string
	}{
		"empty":       {func(t *testing.T, w *watched) { t.Helper(); w.write(t, "") }, filewatch.Faulty, "is empty"},
		"white_space": {func(t *testing.T, w *watched) { t.Helper(); w.write(t, " \n\t\n") }, filewatch.Faulty, "is empty"},
		"half":        {func(t *testing.T, w *watched) { t.Helper(); w.write(t, "tw") }, filewatch.Faulty, "no dot"},
		"gone":        {func(t *testing.T, w *watched) { t.Helper(); mustDo(t, os.Remove(w.path)) }, filewatch.Missing, "no such file"},
		"folder":      {func(t *testing.T, w *watched) { t.Helper(); mustDo(t, os.Remove(w.path), os.Mkdir(w.path, 0o700)) }, filewatch.Faulty, "directory"},
		"dangling_link": {func(t *testing.T, w *watched) {
			t.Helper()
			mustDo(t, os.Remove(w.path), os.Symlink(filepath.Join(w.dir, "nowhere"), w.path))
		}, filewatch.Missing, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watch(t, func(t *testing.T, w *watched) {
				t.Helper()

				row.spoil(t, w)
				passes(100)

				if log := w.log(); w.current() != "one." || strings.Count(log, "level=WARN") != 1 || strings.Count(log, "\n") != 1 ||
					!strings.Contains(log, row.cause) || !strings.Contains(log, "setting=some.file") {
					t.Errorf("in use is %q, logged %s", w.current(), log)
				}

				mustDo(t, os.RemoveAll(w.path))
				w.write(t, "two.")
				passes(100)

				if log := w.log(); w.current() != "two." || strings.Count(log, "level=INFO") != 1 || strings.Count(log, "level=WARN") > 2 {
					t.Errorf("in use is %q, logged %s", w.current(), log)
				}

				if states := w.states(); states[0] != filewatch.Current || states[1] != row.state || states[len(states)-1] != filewatch.Current {
					t.Errorf("states %v", states)
				}
			})
		})
	}
}

func mustDo(t *testing.T, errs ...error) {
	t.Helper()

	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// The same file that is back is told of, too.
func TestFileThatIsBackUnchanged(t *testing.T) {
	t.Parallel()
	watch(t, func(t *testing.T, w *watched) {
		t.Helper()

		mustDo(t, os.Remove(w.path))
		passes(3)
		w.write(t, "one.")
		passes(3)

		want := []filewatch.State{filewatch.Current, filewatch.Missing, filewatch.Current}
		if diff := cmp.Diff(want, w.states()); diff != "" || strings.Count(w.log(), "\n") != 2 {
			t.Errorf("%s logged %s", diff, w.log())
		}
	})
}

// A file that changes while it is looked at is not read before it stays the same. If it never does, that is logged once.
func TestFileThatIsBeingWritten(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		looks, warnings int
	}{"for_a_while": {2, 0}, "all_the_time": {6, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			watch(t, func(t *testing.T, w *watched) {
				t.Helper()

				time.Sleep(interval/2 + 250*time.Millisecond)

				const step = 500 * time.Millisecond

				text := ""

				for range test.looks * int(interval/step) {
					text += "a."
					w.write(t, text)
					time.Sleep(step)
					synctest.Wait()

					if w.current() != "one." {
						t.Fatalf("in use is %q", w.current())
					}
				}

				passes(1)

				if w.current() != text || strings.Count(w.log(), "WARN") != test.warnings {
					t.Errorf("in use is %q, logged %s", w.current(), w.log())
				}
			})
		})
	}
}

// Kubernetes replaces the link to a folder of files.
func TestLinkToAnotherFolder(t *testing.T) {
	t.Parallel()
	watch(t, func(t *testing.T, w *watched) {
		t.Helper()

		for _, text := range []string{"two.", "three."} {
			folder, link := filepath.Join(w.dir, text), filepath.Join(w.dir, "..data")
			mustDo(t, os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "file"), []byte(text), 0o600),
				os.Symlink(folder, link+"_tmp"), os.Rename(link+"_tmp", link))

			if text == "two." {
				mustDo(t, os.Remove(w.path), os.Symlink(filepath.Join("..data", "file"), w.path))
			}

			passes(2)

			if w.current() != text {
				t.Errorf("in use is %q", w.current())
			}
		}
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "file")
	w := &watched{path: path}

	for text, want := range map[string]string{"-": "no such file", "": "is empty", "half": "no dot"} {
		if text != "-" {
			w.write(t, text)
		} else {
			_ = os.Remove(path)
		}

		if _, err := filewatch.Open(w.accept, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
