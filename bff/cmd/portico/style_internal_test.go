package main

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

	if got := styleFor(file, env(nil)).bad("x"); got != "x" {
		t.Errorf("to a file: %q", got)
	}

	if got := styleFor(&bytes.Buffer{}, env(nil)).good("x"); got != "x" {
		t.Errorf("to memory: %q", got)
	}
}

func TestColourIsWanted(t *testing.T) {
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
		if got := wantsColour(env(row.values)); got != row.want {
			t.Errorf("%s: %t", row.name, got)
		}
	}
}

func TestPaint(t *testing.T) {
	t.Parallel()

	on, off := textStyle{on: true}, textStyle{}
	if on.good("ok") != "\x1b[32mok\x1b[0m" || on.strong("") != "" || off.faint("x") != "x" || on.bad("x") == off.bad("x") {
		t.Errorf("%q %q %q", on.good("ok"), on.strong(""), off.faint("x"))
	}
}
