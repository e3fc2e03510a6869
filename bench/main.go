// Command bench measures what a request costs Portico, in CPU, beside what it costs grpc-gateway, bare and with the usual middleware
// around it. See `make bench`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// longest bounds a run.
const longest = 15 * time.Minute

// options are the flags.
type options struct {
	args []string

	only    string
	rounds  int
	round   time.Duration
	workers int
	apart   bool
	h2      bool
	quick   bool
	portico string
	against string
	svg     string
	check   bool
	margin  float64

	latency    bool
	rates      string
	idle       int
	footprint  int
	overload   time.Duration
	cpuProfile string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()

	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		slog.Error("bench", "error", err)
		os.Exit(1) //nolint:gocritic // What is deferred has no effect any more.
	}
}

func parse(args []string) (options, error) {
	o := options{args: args}

	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.only, "only", "", "payloads, comma-separated (all)")
	flags.IntVar(&o.rounds, "rounds", 8, "rounds per payload")
	flags.DurationVar(&o.round, "round", 2*time.Second, "length of a round")
	flags.IntVar(&o.workers, "workers", 64, "workers, each with a connection to every gateway")
	flags.BoolVar(&o.apart, "apart", false, "divide the workers among the gateways, so that all are busy, at different rates")
	flags.BoolVar(&o.h2, "h2", false, "load over HTTP/2 and TLS; the workers share 4 connections to every gateway")
	flags.BoolVar(&o.quick, "quick", false, "three rounds of a second")
	flags.StringVar(&o.portico, "portico", "", "a binary that is there already, instead of one built from the sources")
	flags.StringVar(&o.against, "against", "", "another binary of portico, to be loaded beside")
	flags.StringVar(&o.svg, "svg", "", "write a bar chart of the CPU to this file")
	flags.BoolVar(&o.check, "check", false, "compare with the binary of -against instead, and fail if it is worse beyond noise")
	flags.Float64Var(&o.margin, "margin", 0.02, "the share by which CPU must be higher to be worse, for -check")
	flags.BoolVar(&o.latency, "latency", false, "measure latencies instead, of small unless -only says otherwise")
	flags.StringVar(&o.rates, "rates", "500,1000,2000", "requests a second to each gateway, comma-separated, for -latency")
	flags.IntVar(&o.idle, "idle", 0, "measure the memory of so many idle connections instead")
	flags.IntVar(&o.footprint, "footprint", 0, "measure the memory and files of so many connections and streams of each kind instead")
	flags.DurationVar(&o.overload, "overload", 0, "offer twice the capacity of a gateway on one core for so long instead")
	flags.StringVar(&o.cpuProfile, "cpuprofile", "", "write CPU profiles instead, and the floor's: PAYLOAD=FILE, comma-separated")

	if err := flags.Parse(args); err != nil {
		return o, err
	}

	if o.quick {
		o.rounds, o.round = 3, time.Second
	}

	switch {
	case o.only != "":
	case o.latency:
		o.only = "small"
	case o.check:
		o.only = regressionPayloads
	case o.overload > 0:
		o.only = "small,aggregate"
	}

	return o, o.validate()
}

func (o options) validate() error {
	if o.check && o.against == "" {
		return errors.New("-check needs the binary to compare with: -against BINARY")
	}

	if o.svg != "" && (o.check || o.latency || o.idle > 0 || o.footprint > 0 || o.overload > 0 || o.cpuProfile != "") {
		return errors.New("-svg draws CPU, which is not measured with -check, -latency, -idle, -footprint, -overload and -cpuprofile")
	}

	if o.rounds < 1 || o.workers < 1 {
		return errors.New("-rounds and -workers must be at least 1")
	}

	return nil
}

func run(ctx context.Context, w io.Writer, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}

	selected, err := choose(o.only)
	if err != nil {
		return err
	}

	// What is started dies with the thread that starts it, so that nothing is left behind even by a kill -9.
	runtime.LockOSThread()

	defer runtime.UnlockOSThread()

	dir, err := os.MkdirTemp("", "portico-bench-")
	if err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // It is a temporary one.

	f := &fleet{dir: dir, progress: newProgress(os.Stderr)}
	defer f.stop()
	defer f.progress.clear()

	if o.overload > 0 {
		return errors.Join(reportMachine(ctx, w, args), overload(ctx, w, f, selected, o))
	}

	if err := f.start(ctx, &o); err != nil {
		return err
	}

	if o.cpuProfile == "" {
		if err := reportMachine(ctx, w, args); err != nil {
			return err
		}
	}

	return o.measure(ctx, w, f, selected)
}

// measure measures what the flags say.
func (o options) measure(ctx context.Context, w io.Writer, f *fleet, selected []payload) error {
	if o.check {
		return regressions(ctx, w, f, selected, o)
	}

	if o.footprint > 0 {
		return measureFootprints(ctx, w, f, o)
	}

	if err := f.startGateways(ctx, o); err != nil {
		return err
	}

	switch {
	case o.cpuProfile != "":
		return profiles(ctx, f, o)
	case o.latency:
		return latencies(ctx, w, f, selected, o)
	case o.idle > 0:
		return idle(ctx, w, f, o)
	default:
		return costs(ctx, w, f, selected, o)
	}
}

func choose(only string) ([]payload, error) {
	all := payloads()
	if only == "" {
		return all, nil
	}

	var chosen []payload

	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(p payload) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no payload %q", name)
		}

		chosen = append(chosen, all[i])
	}

	return chosen, nil
}

// costs measures the CPU of requests.
func costs(ctx context.Context, w io.Writer, f *fleet, selected []payload, o options) error {
	reportHead(w)
	f.progress.expect(time.Duration((float64(o.rounds) + warmUpShare) * float64(len(selected)) * float64(o.round)))

	var measured []plotted

	for _, p := range selected {
		variants, err := p.variants(ctx, f)
		if err != nil {
			return err
		}

		if err := check(ctx, p, variants); err != nil {
			return err
		}

		results, err := measure(ctx, f, p, variants, o)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}

		report(w, p, results)

		measured = append(measured, plotted{payload: p, results: results})
	}

	if o.svg == "" {
		return nil
	}

	circumstances, err := describeRun(ctx, o.args)
	if err != nil {
		return err
	}

	return writePlot(o.svg, circumstances, measured)
}
