package secret_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/secret"
)

func write(tb testing.TB, path, text string) {
	tb.Helper()

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func TestContents(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct{ text, want, err string }{
		"one_line":         {"s3cret\n", "s3cret", ""},
		"no_end":           {"s3cret", "s3cret", ""},
		"windows":          {"s3cret\r\n", "s3cret", ""},
		"spaces_are_of_it": {" s3cret \n", " s3cret ", ""},
		"empty":            {"", "", "is empty"},
		"only_a_newline":   {"\n", "", "is empty"},
		"two_newlines":     {"s3cret\n\n", "", "has more than one line"},
		"two_lines":        {"s3cret\nother\n", "", "has more than one line"},
		"too_large":        {strings.Repeat("s3cret", 20_000), "", "is larger than 64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "password")
			write(t, path, row.text)

			file, err := secret.Open(path, nil)

			switch {
			case row.err == "" && (err != nil || file.Value() != row.want):
				t.Errorf("got %v", err)
			case row.err != "" && (err == nil || !strings.Contains(err.Error(), row.err) || !strings.Contains(err.Error(), path)):
				t.Errorf("got %v, want %s", err, row.err)
			case err != nil && strings.Contains(err.Error(), "s3cret"):
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}

	if _, err := secret.Open(filepath.Join(t.TempDir(), "missing"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFileIsReadAgain(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "password")
	write(t, path, "one\n")

	file, err := secret.Open(path, func(value string) error {
		if value == "wrong" {
			return errors.New("is wrong")
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()

		go file.Watch(ctx, filewatch.Config{Setting: "a", Interval: time.Minute, Logger: slog.New(slog.DiscardHandler)})

		for text, want := range map[string]string{"two\n": "two", "three": "three"} {
			for _, unusable := range []string{"", "wrong"} {
				write(t, path, text)
				time.Sleep(2 * time.Minute)
				synctest.Wait()
				write(t, path, unusable)
				time.Sleep(2 * time.Minute)
				synctest.Wait()

				if got := file.Value(); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		}

		cancel()
		synctest.Wait()
	})
}
