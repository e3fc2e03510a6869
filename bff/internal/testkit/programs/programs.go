// Package programs finds the programs that tests run. Only tests import it.
package programs

import (
	"os"
	"os/exec"
	"testing"
)

// Program is the path of the first of these programs that there is. Without any the test is skipped, but for CI (CI=true), which
// must not skip: there it fails. The hint says what to install.
func Program(tb testing.TB, hint string, names ...string) string {
	tb.Helper()

	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}

	if os.Getenv("CI") == "true" {
		tb.Fatal("a program is missing: " + hint)
	}

	tb.Skip("a program is missing: " + hint)

	return ""
}
