package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// spareFiles are those that are open besides.
	spareFiles = 200
	// idleSettle is how long a gateway is left alone before its memory is read.
	idleSettle = 3 * time.Second
)

// idle measures the memory of connections that have made a request and are kept.
func idle(ctx context.Context, w io.Writer, f *fleet, o options) error {
	count, err := filesFor(o.idle)
	if err != nil {
		return err
	}

	if count < o.idle {
		fmt.Fprintf(w, "\nOnly %d connections instead of %d: no more files may be open (RLIMIT_NOFILE).\n", count, o.idle)
	}

	variants, err := plain(small)(ctx, f)
	if err != nil {
		return err
	}

	if err := check(ctx, payload{name: "idle"}, variants); err != nil {
		return err
	}

	fmt.Fprintf(w, "\n| gateway | MB before | MB with %d idle connections | kB each |\n|---|---|---|---|\n", count)

	for _, v := range variants {
		f.progress.sayf("%d connections to %s", count, v.name)

		before, err := v.process.memory("VmRSS")
		if err != nil {
			return err
		}

		after, err := withIdle(ctx, v, count)
		if err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}

		fmt.Fprintf(w, "| %s | %s | %s | %.1f |\n", v.name, megabytes(before), megabytes(after),
			float64(after-before)/float64(count)/(1<<10))
	}

	return nil
}

// filesFor is how many connections there may be. The limit of the gateways is the same.
func filesFor(wanted int) (int, error) {
	need := uint64(wanted + spareFiles)

	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("limit of files: %w", err)
	}

	if limit.Cur < need {
		limit.Cur, limit.Max = need, max(limit.Max, need)

		// More than the maximum is for root alone, or for nobody.
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
			if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
				return 0, fmt.Errorf("limit of files: %w", err)
			}
		}
	}

	return min(wanted, int(limit.Cur)-spareFiles), nil
}

// withIdle is the memory while so many connections are idle.
func withIdle(ctx context.Context, v variant, count int) (int64, error) {
	var clients []connection

	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()

	for range count {
		c, err := v.process.dialAlone()
		if err != nil {
			return 0, err
		}

		clients = append(clients, c)

		if _, err := c.do(v.of(0)); err != nil {
			return 0, fmt.Errorf("connection %d: %w", len(clients), err)
		}

		// The buffer is not needed any more.
		if c, ok := c.(*client); ok {
			c.reader = nil
		}
	}

	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(idleSettle):
		return v.process.memory("VmRSS")
	}
}
