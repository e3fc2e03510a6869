package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// It measures something: all gateways start, agree, and have a row with a ratio. Requests for the dashboards of callers that differ
// share no calls; one of three may be in the cache.
func TestRows(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // It builds the programs.
	defer cancel()

	var out strings.Builder
	if err := run(ctx, &out, []string{"-quick", "-only", "small,aggregate"}); err != nil {
		t.Fatal(err)
	}

	const measured = `[0-9.]*[1-9][0-9.]* \([0-9.]+–[0-9.]+\)`

	for _, row := range []string{
		`\| \*\*small\*\*: GET of one user \| usual \| 1 \| ` + measured + ` \| [0-9.]+ \| [0-9.]+ \| 1 \| [1-9]\d* \| [1-9]\d* \|`,
		`\|  \| vanilla \| ` + measured + ` \| 1 \| `,
		`\|  \| portico \| ` + measured + ` \| ` + measured + ` \| `,
		`\|  \| floor \| ` + measured + ` \| ` + measured + ` \| `,
		`\| \*\*aggregate\*\*: [^|]+ \| usual \| 1 \| [^|]+ \| [0-9.]+ \| [0-9.]+ \| 3 \|[^|]+\|[^|]+\|\n` +
			`\|  \| vanilla \| [^|]+ \| 1 \| [0-9.]+ \| [0-9.]+ \| 3 \|[^|]+\|[^|]+\|\n` +
			`\|  \| portico \| [^|]+ \| [^|]+ \| [0-9.]+ \| [0-9.]+ \| [23](\.\d+)? \|`,
	} {
		if !regexp.MustCompile(row).MatchString(out.String()) {
			t.Errorf("no row like %s in:\n%s", row, &out)
		}
	}
}

// It once had to be run in its own folder, and said "stat cmd/peers" elsewhere.
func TestRunsInAnyFolderOfTheRepository(t *testing.T) {
	module, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}

	for _, folder := range []string{module, filepath.Dir(module), filepath.Join(module, "cmd", "peers")} {
		if got, err := findModule(folder); got != module || err != nil {
			t.Errorf("in %s it is %q, %v, want %s", folder, got, err, module)
		}
	}

	if got, err := findModule(t.TempDir()); err == nil {
		t.Errorf("outside of the repository it is %q, want an error", got)
	}
}
