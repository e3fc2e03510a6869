package main

import (
	"runtime/debug"
	"testing"
)

func TestCalledAs(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]string{
		"portico": "portico", "bin/portico": "bin/portico", "./bin/portico": "bin/portico", "./portico": "./portico",
		"/usr/bin/portico": "/usr/bin/portico", "/tmp/go-build123/b001/exe/portico": "portico", "": "portico",
	} {
		if got := calledAs(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestBuildOf(t *testing.T) {
	t.Parallel()

	got := buildOf(&debug.BuildInfo{
		Main: debug.Module{Path: "example.com/m", Version: "v1.2.3"},
		Settings: []debug.BuildSetting{
			{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.time", Value: "2026-01-01T00:00:00Z"}, {Key: "vcs.modified", Value: "true"},
		},
	})
	want := build{
		Module: "example.com/m", Version: "v1.2.3", Revision: "abc", Time: "2026-01-01T00:00:00Z", Modified: true,
		Go: got.Go, Platform: got.Platform,
	}

	if got != want {
		t.Errorf("got %+v", got)
	}

	if got := buildOf(nil); got.Version != "unknown" || got.Go == "" {
		t.Errorf("without a note: %+v", got)
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()

	for text, want := range map[string]string{"/a/b.pem": "/a/b.pem", "": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'"} {
		if got := shellQuote(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
