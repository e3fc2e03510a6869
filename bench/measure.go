package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpu is how long all threads of a process have been on a CPU, also those that have ended: its CPU-time clock (clock_gettime(2)),
// which counts nanoseconds where /proc/<pid>/stat counts ticks of 10 ms. /proc/<pid>/task/*/schedstat says the same, where the
// kernel has it.
func (p *process) cpu() (time.Duration, error) {
	// The id of the clock of a process, as clock_getcpuclockid(3) makes it. CPUCLOCK_SCHED is the precise one.
	const shift, scheduler = 3, 2

	var now unix.Timespec
	if err := unix.ClockGettime(int32(^p.pid()<<shift|scheduler), &now); err != nil {
		return 0, fmt.Errorf("CPU of %s: %w", p.name, err)
	}

	return time.Duration(now.Nano()), nil
}

// memory is what /proc/<pid>/status says in kB, in bytes: "VmRSS", or "VmHWM" for the peak.
func (p *process) memory(field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		return 0, fmt.Errorf("memory of %s: %w", p.name, err)
	}

	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			kilobytes, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)

			return kilobytes << 10, err
		}
	}

	return 0, fmt.Errorf("memory of %s: no %s", p.name, field)
}

// forgetPeak begins VmHWM anew.
func (p *process) forgetPeak() error {
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.pid()), []byte("5"), 0); err != nil {
		return fmt.Errorf("forget the peak of %s: %w", p.name, err)
	}

	return nil
}

// mallocs is how many objects a process has allocated.
func (p *process) mallocs(ctx context.Context) (float64, error) {
	return p.metric(ctx, "go_memstats_mallocs_total")
}

// callsOf is how many calls of a gateway a backend has received.
func (p *process) callsOf(ctx context.Context, gateway string) (float64, error) {
	count, err := p.metric(ctx, fmt.Sprintf("calls_total{gateway=%q}", authority(gateway)))
	if errors.Is(err, errNoMetric) {
		return 0, nil
	}

	return count, err
}

var errNoMetric = errors.New("is not among the metrics")

func (p *process) metric(ctx context.Context, name string) (float64, error) {
	body, err := p.get(ctx, "/metrics")
	if err != nil {
		return 0, err
	}

	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			return strconv.ParseFloat(value, 64)
		}
	}

	return 0, fmt.Errorf("%s of %s: %w", name, p.name, errNoMetric)
}

// mallocsAndCost is the same, and besides how many that question itself makes.
func (p *process) mallocsAndCost(ctx context.Context) (count, cost float64, err error) {
	if _, err = p.mallocs(ctx); err != nil {
		return 0, 0, err
	}

	before, err := p.mallocs(ctx)
	if err != nil {
		return 0, 0, err
	}

	count, err = p.mallocs(ctx)

	return count, count - before, err
}

// get reads from the admin listener.
func (p *process) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.admin+path, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}

	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s of %s: %w", path, p.name, err)
	}
	defer resp.Body.Close() //nolint:errcheck // It has been read.

	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil {
		return nil, fmt.Errorf("%s of %s: %w", path, p.name, err)
	}

	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s of %s: %s", path, p.name, resp.Status)
	}

	return body.Bytes(), nil
}
