package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// profiles writes CPU profiles of Portico under payloads: "small=/tmp/small.pprof,list=/tmp/list.pprof". Beside each it writes one
// of the floor, "/tmp/small.pprof.floor", if that has the payload. Both serve the same requests, so profiles can be subtracted.
func profiles(ctx context.Context, f *fleet, o options) error {
	for entry := range strings.SplitSeq(o.cpuProfile, ",") {
		name, file, _ := strings.Cut(entry, "=")

		chosen, err := choose(name)
		if err != nil || file == "" {
			return errors.Join(fmt.Errorf("-cpuprofile: %q is not PAYLOAD=FILE", entry), err)
		}

		if err := profile(ctx, f, chosen[0], file, o); err != nil {
			return fmt.Errorf("profile %s: %w", name, err)
		}
	}

	return nil
}

// profile writes one, of as long as all rounds would take.
func profile(ctx context.Context, f *fleet, p payload, file string, o options) error {
	variants, err := p.variants(ctx, f)
	if err != nil {
		return err
	}

	if err := check(ctx, p, variants); err != nil {
		return err
	}

	files := map[*process]string{f.portico: file, f.floor: file + ".floor"}

	variants = slices.DeleteFunc(variants, func(v variant) bool { return files[v.process] == "" })
	if !slices.ContainsFunc(variants, func(v variant) bool { return v.process == f.portico }) {
		return errors.New("it is not about the command portico")
	}

	l, err := newLoader(variants, o, p.stream)
	if err != nil {
		return err
	}
	defer l.close()

	if _, err := l.run(ctx, o.round); err != nil {
		return err
	}

	f.progress.sayf("%s: profiling", p.name)

	seconds := max(1, int(time.Duration(o.rounds)*o.round/time.Second))

	taking, taken := errgroup.WithContext(ctx)

	for _, v := range variants {
		taking.Go(func() error {
			profile, err := v.process.get(taken, fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds))

			return errors.Join(err, os.WriteFile(files[v.process], profile, 0o600))
		})
	}

	_, err = l.run(ctx, time.Duration(seconds)*time.Second)

	return errors.Join(err, taking.Wait(), f.portico.forget())
}
