package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestKeyFolder(t *testing.T) {
	t.Parallel()

	here, a, b := t.TempDir(), t.TempDir(), t.TempDir()
	at := func(address, dir string) running { return running{Address: address, DataDir: absolute(dir)} }
	first, second, own := at("127.0.0.1:1", a), at("127.0.0.1:2", b), at("127.0.0.1:3", here)

	for name, row := range map[string]struct {
		named bool
		all   []running
		want  string
		by    string
	}{
		"nothing_runs":              {false, nil, here, ""},
		"one_runs":                  {false, []running{first}, first.DataDir, first.Address},
		"one_runs_and_one_is_named": {true, []running{first}, here, ""},
		"two_run":                   {false, []running{first, second}, "", ""},
		"two_run_and_one_is_named":  {true, []running{first, second}, here, ""},
		"two_run_with_one_folder":   {false, []running{first, at("127.0.0.1:9", a)}, first.DataDir, first.Address},
		"one_of_two_is_here":        {false, []running{first, own}, here, own.Address},
	} {
		got, by, err := keyFolder(row.named, here, row.all)
		if got != row.want || (err != nil) != (row.want == "") || (by != nil) != (row.by != "") || by != nil && by.Address != row.by {
			t.Errorf("%s: %q %v %v", name, got, by, err)
		}
	}

	_, _, err := keyFolder(false, here, []running{first, second})
	for _, want := range []string{"--data-dir " + filepath.Clean(first.DataDir), second.Address} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}
