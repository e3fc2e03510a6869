package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// profiles writes CPU profiles of Portico under payloads: "small=/tmp/small.pprof,list=/tmp/list.pprof".
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

	i := slices.IndexFunc(variants, func(v variant) bool { return v.process == f.portico })
	if i < 0 {
		return errors.New("it is not about the command portico")
	}

	l, err := newLoader(variants[i:i+1], o, p.stream)
	if err != nil {
		return err
	}
	defer l.close()

	if _, err := l.run(ctx, o.round); err != nil {
		return err
	}

	f.progress.sayf("%s: profiling", p.name)

	seconds := max(1, int(time.Duration(o.rounds)*o.round/time.Second))

	var (
		wg     sync.WaitGroup
		taken  []byte
		failed error
	)

	wg.Go(func() { taken, failed = f.portico.get(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds)) })

	_, err = l.run(ctx, time.Duration(seconds)*time.Second)

	wg.Wait()

	if err := errors.Join(err, failed, f.portico.forget()); err != nil {
		return err
	}

	return os.WriteFile(file, taken, 0o600)
}
