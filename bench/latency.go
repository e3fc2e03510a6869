package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// latencyConnections are how many requests of a gateway may be under way; those that are due on top of that wait, and their wait
// counts.
const latencyConnections = 64

// latencies measures how long answers take at fixed rates, the gateways at the same time. A request counts from the moment at which
// it was due, not from that at which somebody got round to sending it (coordinated omission).
func latencies(ctx context.Context, w io.Writer, f *fleet, selected []payload, o options) error {
	fmt.Fprint(w, "\n| payload | requests a second, each | gateway | p50 ms | p99 ms | p99.9 ms | longest ms |\n",
		"|---|---|---|---|---|---|---|\n")

	for _, p := range selected {
		variants, err := p.variants(ctx, f)
		if err != nil {
			return err
		}

		if err := check(ctx, p, variants); err != nil {
			return err
		}

		for text := range strings.SplitSeq(o.rates, ",") {
			rate, err := strconv.Atoi(text)
			if err != nil || rate < 1 {
				return fmt.Errorf("-rates: %q is no number of requests a second", text)
			}

			f.progress.sayf("%s: %d requests a second", p.name, rate)

			measured, err := latency(ctx, variants, rate, time.Duration(o.rounds)*o.round)
			if err != nil {
				return fmt.Errorf("%s at %d: %w", p.name, rate, err)
			}

			for i, v := range variants {
				fmt.Fprintf(w, "| %s | %d | %s | %s |\n", p.name, rate, v.name, percentiles(measured[i]))
			}
		}
	}

	return nil
}

func percentiles(measured []time.Duration) string {
	slices.Sort(measured)

	shares := []float64{0.5, 0.99, 0.999, 1}
	cells := make([]string, 0, len(shares))

	for _, share := range shares {
		at := measured[min(int(share*float64(len(measured))), len(measured)-1)]
		cells = append(cells, fmt.Sprintf("%.2f", at.Seconds()*1000))
	}

	return strings.Join(cells, " | ")
}

// latency loads every variant at a rate for so long. The first tenth is to warm up.
func latency(ctx context.Context, variants []variant, rate int, length time.Duration) ([][]time.Duration, error) {
	const warmUp = 10

	var (
		wg       sync.WaitGroup
		measured = make([][]time.Duration, len(variants))
		faults   = make([]error, len(variants))
		every    = time.Second / time.Duration(rate)
		start    = time.Now().Add(every)
	)

	for i, v := range variants {
		wg.Go(func() {
			// They take turns, so that what is due for one is not due for the other.
			begin := start.Add(every * time.Duration(i) / time.Duration(len(variants)))
			measured[i], faults[i] = paced(ctx, v, begin, every, int(length/every))
		})
	}

	wg.Wait()

	for i, err := range faults {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", variants[i].name, err)
		}

		measured[i] = measured[i][len(measured[i])/warmUp:]
		if len(measured[i]) == 0 {
			return nil, fmt.Errorf("%s: nothing was measured", variants[i].name)
		}
	}

	return measured, ctx.Err()
}

// paced makes requests when they are due, and gives how long each took since then.
func paced(ctx context.Context, v variant, start time.Time, every time.Duration, count int) ([]time.Duration, error) {
	var (
		wg       sync.WaitGroup
		due      = make(chan int, count)
		measured = make([]time.Duration, count)
		faults   = make([]error, latencyConnections)
	)

	for worker := range latencyConnections {
		c, err := v.process.dial(worker)
		if err != nil {
			close(due)

			return nil, err
		}

		wg.Go(func() {
			defer c.close()

			for i := range due {
				status, err := c.do(v.of(worker))
				if err == nil && status != v.status {
					err = fmt.Errorf("answers %d, not %d", status, v.status)
				}

				if err != nil {
					faults[worker] = err

					return
				}

				measured[i] = time.Since(start.Add(every * time.Duration(i)))
			}
		})
	}

	pace(ctx, start, every, count, due)
	wg.Wait()

	for _, err := range faults {
		if err != nil {
			return nil, err
		}
	}

	return measured, ctx.Err()
}

// pace says what is due when it is, and closes the channel. It sleeps with the precision of the kernel; timers of Go may be a
// millisecond late.
func pace(ctx context.Context, start time.Time, every time.Duration, count int, due chan<- int) {
	defer close(due)

	runtime.LockOSThread()

	defer runtime.UnlockOSThread()

	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0) // Without it, 50 µs late.

	for i := range count {
		wait := unix.NsecToTimespec(int64(max(0, time.Until(start.Add(every*time.Duration(i))))))
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &wait, nil) // Interrupted, it is a little early.

		if ctx.Err() != nil {
			return
		}

		due <- i
	}
}
