package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// quartiles are interpolated between the values next to them.
func quartiles[T cmp.Ordered](values []T, between func(a, b T, share float64) T) (first, median, third T) {
	sorted := slices.Sorted(slices.Values(values))

	at := func(share float64) T {
		position := share * float64(len(sorted)-1)
		below := int(position)

		return between(sorted[below], sorted[min(below+1, len(sorted)-1)], position-float64(below))
	}

	return at(0.25), at(0.5), at(0.75)
}

func interpolate(a, b, share float64) float64 { return a + (b-a)*share }

func ratio(values []float64) string {
	first, median, third := quartiles(values, interpolate)

	return fmt.Sprintf("%.3f (%.3f–%.3f)", median, first, third)
}

func microseconds(values []time.Duration) string {
	_, median, _ := quartiles(values, func(a, b time.Duration, share float64) time.Duration {
		return a + time.Duration(share*float64(b-a))
	})

	return fmt.Sprintf("%.1f", float64(median.Nanoseconds())/float64(time.Microsecond))
}

// decimal has so many places at most.
func decimal(value float64, places int) string {
	scale := math.Pow10(places)
	return strconv.FormatFloat(math.Round(value*scale)/scale, 'f', -1, 64)
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.0f", float64(bytes)/(1<<20)) }

// reportMachine prints when, where and how.
func reportMachine(ctx context.Context, w io.Writer, args []string) error {
	circumstances, err := describeRun(ctx, args)
	fmt.Fprintln(w, circumstances)

	return err
}

// describeRun says when, where and how it is measured.
func describeRun(ctx context.Context, args []string) (string, error) {
	version, err := exec.CommandContext(ctx, "go", "env", "GOVERSION").Output()
	if err != nil {
		return "", fmt.Errorf("version of Go: %w", err)
	}

	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("version of the kernel: %w", err)
	}

	return fmt.Sprintf("%s, %s, %d CPUs, Linux %s, %s, `make bench BENCH=%q`", time.Now().Format(time.DateOnly), cpuModel(),
		runtime.NumCPU(), unix.ByteSliceToString(name.Release[:]), bytes.TrimSpace(version), strings.Join(args, " ")), nil
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown CPU"
	}

	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}

	return runtime.GOARCH
}

// reportHead begins the table.
func reportHead(w io.Writer) {
	fmt.Fprint(w, "\n| payload | gateway | CPU to the first, median (quartiles) | to vanilla | µs of CPU each | allocations each |",
		" calls each | peak MB | answers |\n",
		"|---|---|---|---|---|---|---|---|---|\n")
}

// report prints the rows of a payload.
func report(w io.Writer, p payload, results []result) {
	label := fmt.Sprintf("**%s**: %s", p.name, p.about)
	vanilla := slices.IndexFunc(results, func(r result) bool { return r.name == "vanilla" })

	for i, r := range results {
		toFirst, toVanilla := "1", ""
		if i > 0 {
			toFirst = ratio(r.ratios(&results[0]))
		}

		switch vanilla {
		case -1:
		case i:
			toVanilla = "1"
		default:
			toVanilla = ratio(r.ratios(&results[vanilla]))
		}

		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s | %d |\n", label, r.name, toFirst, toVanilla, microseconds(r.cpu),
			decimal(r.mallocs, 1), decimal(r.calls, 2), megabytes(r.peak), r.answers)

		label = ""
	}
}
