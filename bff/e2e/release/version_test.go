package release_test

import (
	"encoding/json"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// build is what `portico version --output json` prints.
type build struct {
	Module, Version, Revision, Time, Go, Platform string

	Modified bool
}

func (r release) testVersion(t *testing.T) {
	t.Parallel()

	want := build{
		Module: "github.com/portico-gateway/portico", Version: tag, Revision: r.revision, Time: committed, Go: runtime.Version(),
		Platform: "linux/" + runtime.GOARCH,
	}
	if got := buildOf(t, r.program()); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func buildOf(t *testing.T, program string) build {
	t.Helper()

	var b build
	if err := json.Unmarshal([]byte(shell(t, ".", nil, `"$1" version --output json`, program)), &b); err != nil {
		t.Fatal(err)
	}

	return b
}

// Between tags, the version is a pseudo-version (golang.org/ref/mod#pseudo-versions). Changes are told, and no release is made of them.
func (r release) testUntagged(t *testing.T) {
	t.Parallel()

	dir := filepath.Join(t.TempDir(), "later")
	shell(t, r.source, nil, `git clone --quiet . "$1"`, dir)
	shell(t, dir, []string{"GIT_COMMITTER_DATE=2026-02-03T04:05:06Z"}, "git commit --quiet --allow-empty --message later; make bin/portico")

	revision := strings.TrimSpace(shell(t, dir, nil, "git rev-parse HEAD"))
	if got := buildOf(t, filepath.Join(dir, "bin/portico")); got.Version != "v1.98.8-0.20260203040506-"+revision[:12] ||
		got.Revision != revision || got.Time != "2026-02-03T04:05:06Z" || got.Modified {
		t.Errorf("%+v", got)
	}

	out := shell(t, dir, nil, "touch new; if make release 2>&1; then echo 'it was made'; fi")
	if !strings.Contains(out, "there are changes") || strings.Contains(out, "it was made") {
		t.Errorf("a release of changed files: %s", out)
	}
}
