package term

import (
	"bytes"
	"os"
	"testing"
)

func env(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()

	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	if got := For(file, env(nil)).Bad("x"); got != "x" {
		t.Errorf("to a file: %q", got)
	}

	if got := For(&bytes.Buffer{}, env(nil)).Good("x"); got != "x" {
		t.Errorf("to memory: %q", got)
	}
}

func TestWanted(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		name   string
		values map[string]string
		want   bool
	}{
		{"nothing_said", nil, true},
		{"no_color", map[string]string{"NO_COLOR": "0"}, false},
		{"no_color_empty", map[string]string{"NO_COLOR": ""}, true},
		{"dumb", map[string]string{"TERM": "dumb"}, false},
		{"xterm", map[string]string{"TERM": "xterm-256color"}, true},
	} {
		if got := wanted(env(row.values)); got != row.want {
			t.Errorf("%s: %t", row.name, got)
		}
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()

	on, off := Style{on: true}, Style{}
	if on.Good("ok") != "\x1b[32mok\x1b[0m" || on.Strong("") != "" || off.Faint("x") != "x" || on.Bad("x") == off.Bad("x") {
		t.Errorf("%q %q %q", on.Good("ok"), on.Strong(""), off.Faint("x"))
	}
}
