package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// measured matches a ratio with its quartiles.
const measured = `[0-9.]*[1-9][0-9.]* \([0-9.]+–[0-9.]+\)`

// The modes run, with the real programs. What they measure on a busy machine is anything, so only that they do is looked at.
func TestModes(t *testing.T) {
	portico := filepath.Join(t.TempDir(), "portico")
	if err := build(t.Context(), "..", "./bff/cmd/portico", portico); err != nil {
		t.Fatal(err)
	}

	t.Run("default", func(t *testing.T) { testRows(t, portico) })

	t.Run("HTTP/2", func(t *testing.T) {
		out, err := bench(t, "-h2", "-portico", portico, "-only", "small,stream", "-rounds", "1", "-round", "200ms")
		if err != nil {
			t.Fatal(err)
		}

		wantRow(t, out, `\|  \| portico \| `+measured+` \| `+measured+` \| `)
	})

	t.Run("check", func(t *testing.T) {
		out, err := bench(t, "-check", "-portico", portico, "-against", portico, "-only", "small", "-rounds", "2", "-round", "200ms")
		if err != nil && !errors.Is(err, errWorse) {
			t.Fatal(err)
		}

		wantRow(t, out, `\| small \| `+measured+` \| [1-9][0-9.]* \| [1-9][0-9.]* \| `)
	})

	t.Run("latency", func(t *testing.T) {
		out, err := bench(t, "-latency", "-portico", portico, "-rates", "50", "-rounds", "1", "-round", "500ms")
		if err != nil {
			t.Fatal(err)
		}

		wantRow(t, out, `\| small \| 50 \| usual \|( [0-9.]*[1-9][0-9.]* \|){4}`)
	})
}

// All gateways start, agree, and have a row with ratios. Requests for the dashboards of callers that differ share no calls; one of
// three may be in the cache.
func testRows(t *testing.T, portico string) {
	t.Helper()

	svg := filepath.Join(t.TempDir(), "bench.svg")

	out, err := bench(t, "-rounds", "2", "-round", "500ms", "-portico", portico, "-only", "small,aggregate", "-svg", svg)
	if err != nil {
		t.Fatal(err)
	}

	for _, row := range []string{
		`\| \*\*small\*\*: GET of one user \| usual \| 1 \| ` + measured + ` \| [0-9.]+ \| [0-9.]+ \| 1 \| [1-9]\d* \| [1-9]\d* \|`,
		`\|  \| vanilla \| ` + measured + ` \| 1 \| `,
		`\|  \| portico \| ` + measured + ` \| ` + measured + ` \| `,
		`\|  \| floor \| ` + measured + ` \| ` + measured + ` \| `,
		`\| \*\*aggregate\*\*: [^|]+ \| usual \| 1 \| [^|]+ \| [0-9.]+ \| [0-9.]+ \| 3 \|[^|]+\|[^|]+\|\n` +
			`\|  \| vanilla \| [^|]+ \| 1 \| [0-9.]+ \| [0-9.]+ \| 3 \|[^|]+\|[^|]+\|\n` +
			`\|  \| portico \| [^|]+ \| [^|]+ \| [0-9.]+ \| [0-9.]+ \| [23](\.\d+)? \|`,
	} {
		wantRow(t, out, row)
	}

	if drawn, err := os.ReadFile(svg); err != nil || !strings.Contains(string(drawn), ">aggregate</text>") {
		t.Errorf("the chart has no aggregate, %v:\n%s", err, drawn)
	}
}

// bench runs the benchmark and returns what it prints.
func bench(t *testing.T, args ...string) (string, error) {
	t.Helper()

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // It builds programs.
	defer cancel()

	var out strings.Builder

	err := run(ctx, &out, args)

	return out.String(), err
}

func wantRow(t *testing.T, out, row string) {
	t.Helper()

	if !regexp.MustCompile(row).MatchString(out) {
		t.Errorf("no row like %s in:\n%s", row, out)
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
