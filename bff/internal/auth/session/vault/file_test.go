package vault_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

func write(tb testing.TB, path, text string) {
	tb.Helper()

	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func encoded(fill byte) string { return base64.StdEncoding.EncodeToString(key(fill)) }

func TestFile(t *testing.T) {
	t.Parallel()

	url := base64.RawURLEncoding.EncodeToString(key(251)) // It has characters that differ between the alphabets.
	secret := strings.Repeat("s", 20)

	for name, tt := range map[string]struct{ text, fault string }{
		"one":             {encoded(1), ""},
		"lines":           {"\n" + encoded(1) + "\r\n\n  " + encoded(2) + "\n", ""},
		"another_form":    {url + "\n", ""},
		"empty":           {"\n\n", "is empty"},
		"short":           {encoded(1) + "\n" + base64.StdEncoding.EncodeToString(key(1)[:16]), "key 2 is not 32 bytes"},
		"no_base64":       {secret, "key 1 is not 32 bytes"},
		"two_on_one_line": {encoded(1) + " " + encoded(2), "key 1 is not 32 bytes"},
		"large":           {strings.Repeat(encoded(1)+"\n", 2000), "is larger than 64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			path := filepath.Join(t.TempDir(), "keys")
			write(t, path, tt.text)

			_, err := vault.Open(path)

			switch {
			case tt.fault == "" && err != nil:
				t.Error(err)
			case tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault) || !strings.Contains(err.Error(), path)):
				t.Errorf("got %v, want %q", err, tt.fault)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the content is in the error: %v", err)
			}
		})
	}

	if _, err := vault.Open(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file is no error")
	}
}

// A faulty file leaves the keys as they are.
func TestFileIsWatched(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "keys")
	write(t, path, encoded(1))

	synctest.Test(t, func(t *testing.T) {
		file, err := vault.Open(path)
		if err != nil {
			t.Fatal(err)
		}

		ctx, stop := context.WithCancel(t.Context())
		defer stop()

		var log bytes.Buffer

		go file.Watch(ctx, filewatch.Config{Setting: "keys", Interval: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})

		sealed := file.Vault().Seal([]byte("x"), "a")

		change := func(text string) {
			write(t, path, text)
			time.Sleep(10 * time.Second)
			synctest.Wait()
		}

		change("faulty")

		if _, err := file.Vault().Open(sealed, "a"); err != nil {
			t.Errorf("with a faulty file: %v", err)
		}

		change(encoded(2) + "\n" + encoded(1))

		if _, err := file.Vault().Open(sealed, "a"); err != nil {
			t.Errorf("with another key before: %v", err)
		}

		if _, err := open(t, key(2)).Open(file.Vault().Seal([]byte("x"), "a"), "a"); err != nil {
			t.Errorf("the first key does not seal: %v", err)
		}

		change(encoded(2))

		if _, err := file.Vault().Open(sealed, "a"); err == nil {
			t.Error("a removed key is used")
		}

		stop()
		synctest.Wait()

		if strings.Contains(log.String(), encoded(1)) || strings.Contains(log.String(), encoded(2)) {
			t.Errorf("keys are in the log: %s", log.String())
		}
	})
}
