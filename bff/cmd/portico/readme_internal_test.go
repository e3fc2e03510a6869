package main

import (
	"runtime/debug"
	"testing"
)

// Once, the page of `portico dev` led to the newest documentation, whatever version it was of.
func TestReadmeIsThatOfTheVersion(t *testing.T) {
	t.Parallel()

	commit := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123abc"}, {Key: "vcs.modified", Value: "true"}}

	for _, row := range []struct {
		name, version string
		settings      []debug.BuildSetting
		want          string
	}{
		{"release", "v1.2.3", commit, repository + "/tree/v1.2.3#readme"},
		{"candidate", "v1.2.3-rc.1", nil, repository + "/tree/v1.2.3-rc.1#readme"},
		{"commit", "v0.0.0-20261127174000-0123abc45678+dirty", commit, repository + "/tree/0123abc#readme"},
		{"changed_release", "v1.2.3+dirty", commit, repository + "/tree/0123abc#readme"},
		{"without_a_repository", "(devel)", nil, repository + "#readme"},
		{"nothing_known", "", nil, repository + "#readme"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			info := &debug.BuildInfo{Main: debug.Module{Version: row.version}, Settings: row.settings}
			if got := buildOf(info).readme(); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
