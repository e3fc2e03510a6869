package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// usualDuration is that of a drill with all faults.
	usualDuration = time.Minute
	// shortDuration is enough for three faults.
	shortDuration = 13 * time.Second
	// usualRate is what two cores manage with ease, including the programs under test.
	usualRate = 160
)

// errMissed means that a criterion is not met.
var errMissed = errors.New("a criterion is not met")

// options are the flags.
type options struct {
	duration time.Duration
	rate     int
	soak     time.Duration
	only     []string
	keep     bool
	bin      string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var (
		o     options
		short bool
	)

	keys := strings.Join(faultKeys(), ", ")
	set := flag.NewFlagSet("drill", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.DurationVar(&o.duration, "duration", usualDuration, "about how long all faults together take; each scales with it")
	set.IntVar(&o.rate, "rate", usualRate, "requests per second, over both gateways")
	set.DurationVar(&o.soak, "soak", 0, "inject no faults, and check for so long whether the gateways grow")
	set.Func("only", "the faults to inject, separated by commas (default: all): "+keys, func(text string) error {
		o.only = strings.Split(text, ",")

		return nil
	})
	set.BoolVar(&short, "short", false, "a short drill: "+shortFaults)
	set.BoolVar(&o.keep, "keep", false, "keep the logs even if all criteria are met")
	set.StringVar(&o.bin, "bin", "", "a folder with the programs portico and backends (default: they are built)")

	if err := set.Parse(args); err != nil {
		return options{}, fmt.Errorf("command line: %w", err)
	}

	if short {
		o.only, o.duration = strings.Split(shortFaults, ","), shortDuration
	}

	if o.rate < 1 || o.duration < time.Second {
		return options{}, errors.New("command line: -rate must be at least 1 and -duration at least 1s")
	}

	for _, key := range o.only {
		if !slices.Contains(faultKeys(), key) {
			return options{}, fmt.Errorf("command line: there is no fault %q; there are %s", key, keys)
		}
	}

	return o, nil
}

// run drills, and prints the report to stdout, with the progress before it if that is a terminal.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "portico-drill-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}

	var (
		result   result
		progress = newProgress(stdout)
	)

	if o.soak > 0 {
		result, err = soak(ctx, o, dir, progress)
	} else {
		result, err = drill(ctx, o, dir, progress)
	}

	progress.end()

	if err == nil {
		if _, err := io.WriteString(stdout, result.markdown()); err != nil {
			return fmt.Errorf("print report: %w", err)
		}

		if !result.met() {
			err = errMissed
		}
	}

	return errors.Join(err, cleanUp(dir, o.keep || err != nil, stderr))
}

// result is what a drill has found.
type result interface {
	markdown() string
	// met reports whether all criteria are met.
	met() bool
}

// drill injects one fault after the other.
func drill(ctx context.Context, o options, dir string, progress *progress) (r *report, err error) {
	err = withFleet(ctx, o, dir, progress, func(f *fleet, d *driver) error {
		var steps []step

		err := d.during(ctx, o.rate, func() (err error) {
			steps, err = d.steps(ctx, chosen(faults(f), o), progress)

			return err
		})
		if err != nil {
			return err
		}

		progress.showf("reading back what was written")

		if err := audit(ctx, dir, &d.writes); err != nil {
			return err
		}

		r = newReport(o, steps, d.samples.all(), d.writes.all())

		return nil
	})

	return r, err
}

// withFleet calls a function while all programs run.
func withFleet(ctx context.Context, o options, dir string, progress *progress, do func(*fleet, *driver) error) (err error) {
	if o.bin == "" {
		progress.showf("building")

		o.bin = filepath.Join(dir, "bin")
		if err := build(ctx, o.bin); err != nil {
			return err
		}
	}

	progress.showf("starting")

	f, err := startFleet(ctx, o.bin, dir)
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, f.stop()) }()

	d, err := newDriver(ctx, f)
	if err != nil {
		return err
	}

	progress.with(d.progress)

	return do(f, d)
}

// cleanUp removes everything that the drill has written, or everything except the logs.
func cleanUp(dir string, keep bool, stderr io.Writer) error {
	if !keep {
		return os.RemoveAll(dir)
	}

	_, _ = fmt.Fprintln(stderr, "logs:", logsIn(dir)) // Nothing depends on it.

	return errors.Join(os.RemoveAll(filepath.Join(dir, "bin")), os.RemoveAll(dataIn(dir)))
}
