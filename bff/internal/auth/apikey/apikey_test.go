package apikey_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// expiry is when the keys of newEntry end.
var expiry = time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)

func newEntry(subject string) (key string, e apikey.Entry) {
	key, id := apikey.New()

	return key, apikey.Entry{
		ID: id, SHA256: apikey.Hash(key), Subject: subject, Scopes: []string{"orders:read"}, Roles: []string{"machine"}, Tenant: "acme",
		Expires: expiry, Description: "of " + subject,
	}
}

// open makes a file of entries and reads it.
func open(tb testing.TB, entries ...apikey.Entry) *apikey.Store {
	tb.Helper()

	path := filepath.Join(tb.TempDir(), "keys.yaml")
	for _, e := range entries {
		if err := apikey.Add(path, e); err != nil {
			tb.Fatal(err)
		}
	}

	s, err := apikey.Open(path)
	if err != nil {
		tb.Fatal(err)
	}

	return s
}

func TestNewKeys(t *testing.T) {
	t.Parallel()

	form := regexp.MustCompile(`^ptk_([A-Z2-7]{12})_[A-Z2-7]{52}$`)
	seen := map[string]bool{}

	for range 100 {
		key, id := apikey.New()
		if m := form.FindStringSubmatch(key); m == nil || m[1] != id || seen[key] || seen[id] {
			t.Fatalf("key %s, id %s", key, id)
		}

		seen[key], seen[id] = true, true
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()

	one, first := newEntry("robot")
	two, second := newEntry("printer")
	second.Expires = time.Time{}
	store := open(t, first, second)

	want := reqinfo.Principal{Subject: "robot", Scopes: []string{"orders:read"}, Roles: []string{"machine"}, Tenant: "acme"}

	got, err := store.Lookup(one, expiry.Add(-time.Nanosecond))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}

	if got, err := store.Lookup(two, expiry.Add(1000*time.Hour)); got.Subject != "printer" || err != nil {
		t.Error(got, err)
	}

	for _, now := range []time.Time{expiry, expiry.Add(time.Hour)} {
		if got, err := store.Lookup(one, now); err == nil || !got.Anonymous() || !strings.Contains(err.Error(), "expired") {
			t.Error(got, err)
		}
	}
}

// Whatever is changed, in the id, the secret or around them, it is another key, and no error says what would have been right.
func TestOneByteMakesAnotherKey(t *testing.T) {
	t.Parallel()

	key, e := newEntry("robot")
	other, _ := newEntry("stranger")
	_, id, _ := strings.Cut(key, "_")
	store := open(t, e)

	variants := []string{
		"", "ptk_", key + "A", key[:len(key)-1], " " + key, key + " ", key + "\n", strings.ToLower(key), "PTK_" + key[4:],
		other, other[:17] + key[17:], key[:17] + other[17:], e.ID, e.SHA256, id, strings.Repeat("A", 1<<20), key + "\x00",
	}

	for i := range key {
		for _, c := range []byte{'A', 'B', '7', '_', 0, 0xff, key[i] + 1, key[i] ^ 0x20} {
			if c != key[i] {
				variants = append(variants, key[:i]+string([]byte{c})+key[i+1:])
			}
		}
	}

	for _, variant := range variants {
		got, err := store.Lookup(variant, expiry.Add(-time.Hour))
		if err == nil || !got.Anonymous() {
			t.Errorf("%.100q is %+v", variant, got)
		}

		if err != nil && strings.Contains(err.Error(), key[17:]) {
			t.Errorf("the error shows the secret: %v", err)
		}
	}
}

func TestOnlyTheHashIsKept(t *testing.T) {
	t.Parallel()

	key, e := newEntry("robot")
	path := filepath.Join(t.TempDir(), "keys.yaml")

	if err := apikey.Add(path, e); err != nil {
		t.Fatal(err)
	}

	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}

	if strings.Contains(string(text), key[17:]) || !strings.Contains(string(text), e.SHA256) {
		t.Errorf("%s", text)
	}

	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestAddLeavesTheRestAlone(t *testing.T) {
	t.Parallel()

	const before = "# Of the warehouse.\nkeys:\n" +
		"- id: AAAAAAAAAAAA # The old printer.\n  sha256: '" +
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'\n  subject: printer\n"

	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}

	key, e := newEntry("robot")
	if err := apikey.Add(path, e); err != nil {
		t.Fatal(err)
	}

	after, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(after), before) {
		t.Errorf("%s, %v", after, err)
	}

	store, err := apikey.Open(path)
	if err != nil {
		t.Fatal(err)
	}

	if got, err := store.Lookup(key, expiry.Add(-time.Hour)); err != nil || got.Subject != "robot" {
		t.Error(got, err)
	}

	if err := apikey.Add(path, e); err == nil || !strings.Contains(err.Error(), "more than once") {
		t.Errorf("the same entry again: %v", err)
	}
}

func BenchmarkLookup(b *testing.B) {
	key, e := newEntry("robot")
	store := open(b, e)
	now := expiry.Add(-time.Hour)

	b.ReportAllocs()

	for b.Loop() {
		if _, err := store.Lookup(key, now); err != nil {
			b.Fatal(err)
		}
	}
}

// Whatever the header holds, only the very key finds its principal.
func FuzzLookup(f *testing.F) {
	key, e := newEntry("robot")
	store := open(f, e)

	for _, seed := range []string{key, "", "ptk_", key[:len(key)-1] + "A", strings.ToLower(key), e.ID, e.SHA256} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, text string) {
		got, err := store.Lookup(text, expiry.Add(-time.Hour))
		if (err == nil) != (text == key) || got.Anonymous() == (text == key) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	})
}
