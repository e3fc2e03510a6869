package apikey

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portico-gateway/portico/bff/internal/filewatch"
)

const (
	goodID  = "AAAAAAAAAAAA"
	goodSum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func item(id, rest string) string {
	return "- {id: " + id + ", sha256: '" + goodSum + "', " + rest + "}\n"
}

func TestParse(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		text string
		want []string // Of the error; nil: there is none.
	}{
		"empty":           {"", nil},
		"comment":         {"# None yet.\n", nil},
		"no_keys":         {"keys: []\n", nil},
		"one":             {"keys:\n" + item(goodID, "subject: a"), nil},
		"everything":      {"keys:\n" + item(goodID, "subject: a, scopes: [x], roles: [y], tenant: z, expires: 2030-01-01, description: d"), nil},
		"not_yaml":        {"{", []string{"not a file of API keys"}},
		"list":            {"- a\n", []string{"line 1"}},
		"unknown_setting": {"keys:\n" + item(goodID, "subject: a, scope: x"), []string{"line 2", "scope"}},
		"two_documents":   {"keys: []\n---\nkeys: []\n", []string{"line 2: a second YAML document"}},
		"no_subject":      {"keys:\n" + item(goodID, "tenant: a"), []string{"keys[0]", goodID, "subject"}},
		"bad_subject":     {"keys:\n" + item(goodID, `subject: "a\nb"`), []string{"subject"}},
		"bad_scope":       {"keys:\n" + item(goodID, `subject: a, scopes: ["x y"]`), []string{"scope"}},
		"bad_expiry":      {"keys:\n" + item(goodID, "subject: a, expires: soon"), []string{`"soon"`}},
		"id_too_short":    {"keys:\n" + item("AAAA", "subject: a"), []string{"id: not 12 characters"}},
		"id_twice":        {"keys:\n" + item(goodID, "subject: a") + item(goodID, "subject: b"), []string{"keys[1]", "more than once"}},
		"hash_missing":    {"keys:\n- {id: " + goodID + ", subject: a}\n", []string{"sha256: not 64 hex"}},
		"hash_zero":       {"keys:\n- {id: " + goodID + ", subject: a, sha256: '" + strings.Repeat("0", 64) + "'}\n", []string{"is zero"}},
		"all_at_once":     {"keys:\n" + item("A", "subject: a") + item(goodID, "tenant: a"), []string{"keys[0]", "keys[1]"}},
		"a_key_by_mistake": {
			"keys:\n- {id: " + goodID + ", subject: a, sha256: ptk_" + goodID + "_" + strings.Repeat("A", secretLen) + "}\n",
			[]string{"sha256"},
		},
	} {
		_, err := parse([]byte(row.text))
		if (err == nil) != (row.want == nil) {
			t.Errorf("%s: %v", name, err)
		}

		for _, want := range row.want {
			if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), strings.Repeat("A", secretLen))) {
				t.Errorf("%s: %v, want %s", name, err, want)
			}
		}
	}
}

func TestRunReadsTheFileAgain(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "keys.yaml")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	write("keys:\n" + item(goodID, "subject: before"))

	store, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}

	subject := func() string { return (*store.entries.Load())[goodID].principal.Subject }

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()

		go store.Run(ctx, filewatch.Config{Interval: time.Minute, Logger: slog.New(slog.DiscardHandler)})

		write("keys:\n" + item(goodID, "subject: after"))
		time.Sleep(59 * time.Second)
		synctest.Wait()

		if got := subject(); got != "before" {
			t.Errorf("within the interval it is %q", got)
		}

		// What has changed must have settled.
		time.Sleep(3 * time.Second)
		synctest.Wait()

		if got := subject(); got != "after" {
			t.Errorf("after the interval it is %q", got)
		}

		for _, faulty := range []string{
			"{", "keys:\n" + item("A", "subject: x"), "", "keys:\n", "# none\n", "keys: null\n", strings.TrimSuffix("keys:\n"+item(goodID, "subject: half"), "}\n"),
			"keys:\n- id: " + goodID + "\n  sha256: '" + goodSum + "'\n  subject: hal",
		} {
			write(faulty)
			time.Sleep(time.Minute)
			synctest.Wait()

			if got := subject(); got != "after" {
				t.Errorf("a faulty file makes it %q", got)
			}
		}

		// A revoked key is gone with the next look.
		write("keys: []\n")
		time.Sleep(time.Minute)
		synctest.Wait()

		if got := subject(); got != "" {
			t.Errorf("the key of %q was revoked", got)
		}
	})
}

// Once, an empty file was one without keys.
func TestOpenRefusesWhatMayBeHalfAFile(t *testing.T) {
	t.Parallel()

	entry := "keys:\n- id: " + goodID + "\n  sha256: '" + goodSum + "'\n  subject: svc"

	for name, row := range map[string]struct{ text, want string }{
		"empty":               {"", "is empty"},
		"comment":             {"# None yet.\n", "no list of keys"},
		"nothing_in_keys":     {"keys:\n", "no list of keys"},
		"null":                {"keys: ~\n", "no list of keys"},
		"no_line_end":         {entry, "does not end with a line end"},
		"complete":            {entry + "\n", ""},
		"no_keys":             {"keys: []\n", ""},
		"ends_with_a_bracket": {"keys: []", ""},
	} {
		path := filepath.Join(t.TempDir(), "keys.yaml")
		if err := os.WriteFile(path, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}

		if _, err := Open(path); (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	t.Parallel()

	good := Entry{ID: goodID, SHA256: goodSum, Subject: "a"}

	for name, row := range map[string]struct {
		before string
		entry  Entry
	}{
		"faulty_file":  {"{", good},
		"faulty_entry": {"", Entry{ID: "A"}},
		"flow_list":    {"keys: [" + strings.TrimPrefix(item("BBBBBBBBBBBB", "subject: b"), "- ") + "]\n", good},
	} {
		path := filepath.Join(t.TempDir(), "keys.yaml")
		if err := os.WriteFile(path, []byte(row.before), 0o600); err != nil {
			t.Fatal(err)
		}

		if err := Add(path, row.entry); err == nil {
			t.Errorf("%s: added", name)
		}

		if after, err := os.ReadFile(path); err != nil || string(after) != row.before {
			t.Errorf("%s: the file is %q, %v", name, after, err)
		}
	}
}

// Whatever is in the file, what is read from it can stand for a caller, and nothing panics.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "keys: []", "keys:\n" + item(goodID, "subject: a, scopes: [x], expires: 2030-01-01T00:00:00Z"),
		"keys:\n- &a {id: AAAAAAAAAAAA}\n- *a\n", "keys:\n- {<<: {id: b}}\n", "---\n---\n", "keys: !!binary aaaa\n",
	} {
		f.Add([]byte(seed))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := parse(text)
		if err != nil {
			return
		}

		for id, e := range entries {
			if err := e.principal.Check(); err != nil || e.principal.Anonymous() || !isID(id) || e.sum == [len(e.sum)]byte{} {
				t.Errorf("%q makes %q %+v: %v", text, id, e, err)
			}
		}
	})
}
