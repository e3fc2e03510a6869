package vault_test

import (
	"bytes"
	"testing"

	"github.com/portico-gateway/portico/bff/internal/auth/session/vault"
)

func key(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func open(tb testing.TB, keys ...[]byte) *vault.Vault {
	tb.Helper()

	v, err := vault.New(keys)
	if err != nil {
		tb.Fatal(err)
	}

	return v
}

func TestSealed(t *testing.T) {
	t.Parallel()

	v := open(t, key(1))

	for _, text := range []string{"", "x", string(bytes.Repeat([]byte("token"), 20<<10))} {
		one, two := v.Seal([]byte(text), "a"), v.Seal([]byte(text), "a")
		if bytes.Equal(one, two) {
			t.Error("two sealed texts are the same")
		}

		if len(text) > 10 && bytes.Contains(one, []byte("token")) {
			t.Error("it is not encrypted")
		}

		got, err := v.Open(one, "a")
		if err != nil || string(got) != text {
			t.Errorf("got %.20q, %v", got, err)
		}
	}
}

// Sessions last while keys are rotated.
func TestRotation(t *testing.T) {
	t.Parallel()

	before, during, after := open(t, key(1)), open(t, key(2), key(1)), open(t, key(2))
	old, fresh := before.Seal([]byte("x"), "a"), during.Seal([]byte("x"), "a")

	for name, tt := range map[string]struct {
		in     *vault.Vault
		sealed []byte
		ok     bool
	}{
		"old_key_opens":            {during, old, true},
		"first_key_seals":          {after, fresh, true},
		"first_key_alone_seals":    {before, fresh, false},
		"removed_key_does_not":     {after, old, false},
		"order_does_not_matter":    {open(t, key(3), key(1), key(2)), fresh, true},
		"the_same_key_twice":       {open(t, key(1), key(1)), old, true},
		"another_key_altogether":   {open(t, key(9)), fresh, false},
		"a_gateway_with_its_own_1": {random(t), old, false},
	} {
		if _, err := tt.in.Open(tt.sealed, "a"); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func random(tb testing.TB) *vault.Vault {
	tb.Helper()

	v, err := vault.Random()
	if err != nil {
		tb.Fatal(err)
	}

	return v
}

// Each byte counts: the name of the key, the nonce, the text, its tag, and what it is for.
func TestForged(t *testing.T) {
	t.Parallel()

	v := open(t, key(1), key(2))
	sealed := v.Seal([]byte("text"), "session a")

	for i := range sealed {
		forged := bytes.Clone(sealed)
		forged[i] ^= 1

		if _, err := v.Open(forged, "session a"); err == nil {
			t.Errorf("byte %d does not count", i)
		}
	}

	for i := range sealed {
		if _, err := v.Open(sealed[:i], "session a"); err == nil {
			t.Errorf("%d of %d bytes are enough", i, len(sealed))
		}
	}

	for _, purpose := range []string{"", "session b", "session a ", "login"} {
		if _, err := v.Open(sealed, purpose); err == nil {
			t.Errorf("it can be opened for %q", purpose)
		}
	}

	if _, err := v.Open(append(bytes.Clone(sealed), 0), "session a"); err == nil {
		t.Error("bytes after it do not count")
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()

	for name, keys := range map[string][][]byte{"none": {}, "short": {key(1)[:31]}, "long": {append(key(1), 0)}, "empty": {key(1), {}}} {
		if _, err := vault.New(keys); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
