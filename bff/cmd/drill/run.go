package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	// usualDuration is that of a whole drill, of which the duration of a fault is a part.
	usualDuration = time.Minute
	// shortDuration is enough for three faults.
	shortDuration = 13 * time.Second
	// usualRate is what two cores carry with ease, the programs that are drilled included.
	usualRate = 160
)

// errMissed says that a criterion is not met.
var errMissed = errors.New("a criterion is not met")

// options are what the command line said.
type options struct {
	duration time.Duration
	rate     int
	soak     time.Duration
	only     string
	keep     bool
	bin      string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var (
		o     options
		short bool
	)

	set := flag.NewFlagSet("drill", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.DurationVar(&o.duration, "duration", usualDuration, "about how long all faults together take; each scales with it")
	set.IntVar(&o.rate, "rate", usualRate, "requests per second, over both gateways")
	set.DurationVar(&o.soak, "soak", 0, "break nothing, and see for so long whether the gateways grow")
	set.StringVar(&o.only, "only", "", "the faults to inject, separated by commas (default: all): "+strings.Join(faultKeys(), ", "))
	set.BoolVar(&short, "short", false, "a short drill: "+shortFaults)
	set.BoolVar(&o.keep, "keep", false, "keep the logs also when all is well")
	set.StringVar(&o.bin, "bin", "", "a folder with the programs portico and backends (default: they are built)")

	if err := set.Parse(args); err != nil {
		return options{}, fmt.Errorf("command line: %w", err)
	}

	if short {
		o.only, o.duration = shortFaults, shortDuration
	}

	if o.rate < 1 || o.duration < time.Second {
		return options{}, errors.New("command line: -rate must be at least 1 and -duration at least 1s")
	}

	return o, checkKeys(o.only)
}

// run drills and prints the report to stdout and what it does to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}

	dir, err := os.MkdirTemp("", "portico-drill-")
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}

	var found findings
	if o.soak > 0 {
		found, err = soak(ctx, o, dir, stderr)
	} else {
		found, err = drill(ctx, o, dir, stderr)
	}

	if err == nil {
		if _, err := io.WriteString(stdout, found.markdown()); err != nil {
			return fmt.Errorf("print report: %w", err)
		}

		if !found.met() {
			err = errMissed
		}
	}

	return errors.Join(err, tidy(dir, o.keep || err != nil, stderr))
}

// findings are what a drill has found out.
type findings interface {
	markdown() string
	// met reports whether all criteria are.
	met() bool
}

// drill breaks one thing after the other.
func drill(ctx context.Context, o options, dir string, progress io.Writer) (result *report, err error) {
	err = running(ctx, o, dir, progress, func(f *fleet, d *driver, say teller) error {
		steps, err := d.inject(ctx, o, f, say)
		if err != nil {
			return err
		}

		say("reading back what was written")

		if err := d.ledger.audit(ctx, f.data()); err != nil {
			return err
		}

		found := newReport(o, steps, d.samples.all(), d.ledger.entries())
		result = &found

		return nil
	})

	return result, err
}

// teller tells of progress.
type teller = func(format string, args ...any)

// running has everything running in the folder while do does something with it, and leaves nothing running.
func running(
	ctx context.Context, o options, dir string, progress io.Writer, do func(f *fleet, d *driver, say teller) error,
) (err error) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(progress, format+"\n", args...) } // Nothing depends on it.

	if o.bin == "" {
		say("building")

		o.bin = filepath.Join(dir, "bin")
		if err := build(ctx, o.bin); err != nil {
			return err
		}
	}

	say("starting")

	f, err := startFleet(ctx, o.bin, dir)
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, f.stop()) }()

	d, err := newDriver(ctx, f)
	if err != nil {
		return err
	}

	return do(f, d, say)
}

// inject has the load running while it injects the faults, and waits for the last answer.
func (d *driver) inject(ctx context.Context, o options, f *fleet, say teller) ([]step, error) {
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan struct{})

	go func() {
		defer close(ended)

		d.drive(ctx, o.rate)
	}()

	steps, err := d.steps(ctx, chosen(faults(f), o), say)

	stop()
	<-ended

	return steps, err
}

// tidy removes what the drill has written, or all of it but the logs.
func tidy(dir string, keep bool, stderr io.Writer) error {
	if !keep {
		return os.RemoveAll(dir)
	}

	_, _ = fmt.Fprintln(stderr, "logs:", logsIn(dir)) // Nothing depends on it.

	entries, err := os.ReadDir(dir)
	for _, one := range entries {
		if path := filepath.Join(dir, one.Name()); path != logsIn(dir) {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}

	return err
}
