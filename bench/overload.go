package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// capacityWorkers keep a gateway busy without overloading it.
	capacityWorkers = 32
	// capacityTime is for how long the capacity is measured, after as much to warm up.
	capacityTime = 4 * time.Second
	// recoveryTime is for how long half of the capacity is offered after the overload.
	recoveryTime = 10 * time.Second
	// factor of the capacity is what is offered.
	factor = 2.0
)

// overload offers gateways more than they can handle, in an open loop, and prints what becomes of it. The gateways have a core of
// their own, one after the other; the load and the backend have the others.
func overload(ctx context.Context, w io.Writer, f *fleet, selected []payload, o options) error {
	if err := f.startOnCores(ctx, o); err != nil {
		return err
	}

	fmt.Fprintf(w, "\n%g times the capacity of one core for %s, then half of it for %s. Times are p50/p99 in milliseconds.\n\n"+
		"| payload | gateway | capacity a second | served, of capacity | of its CPU | time | refused | time | failed | breaker opened "+
		"| limit | admin, longest | recovered | sent late |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n", factor, o.overload, recoveryTime)

	for _, p := range selected {
		variants, err := p.variants(ctx, f)
		if err != nil {
			return err
		}

		for _, v := range variants {
			if v.process == nil {
				continue
			}

			if err := overloadOne(ctx, w, p, v, o.overload); err != nil {
				return fmt.Errorf("%s: %s: %w", p.name, v.name, err)
			}
		}
	}

	return nil
}

// startOnCores starts the backend and the gateways, those on the first core, and everything else on the others.
func (f *fleet) startOnCores(ctx context.Context, o options) error {
	first, others, err := splitCores()
	if err != nil {
		return err
	}

	if err := f.build(ctx, &o); err != nil {
		return err
	}

	if err := f.makeCallers(capacityWorkers); err != nil {
		return err
	}

	if err := pinProcess(others); err != nil {
		return err
	}

	if f.backend, err = f.launch(ctx, "backend", f.peers, "backend"); err != nil {
		return err
	}

	// A process inherits the cores of the thread that starts it.
	if err := pinThread(first); err != nil {
		return err
	}

	if f.portico, err = f.serve(ctx, "portico", o.portico, ""); err == nil && o.against != "" {
		f.against, err = f.serve(ctx, "against", o.against, "")
	}

	return errors.Join(err, pinThread(others))
}

// overloadOne measures a gateway and prints its row.
func overloadOne(ctx context.Context, w io.Writer, p payload, v variant, length time.Duration) error {
	if _, err := settled(ctx, v); err != nil {
		return err
	}

	capacity, each, err := capacityOf(ctx, v)
	if err != nil {
		return err
	}

	if err := v.process.forget(); err != nil {
		return err
	}

	watched := watchAdmin(ctx, v.process)
	load := newOpenLoad(v)

	before, err := v.process.cpu()
	if err != nil {
		return err
	}

	over := load.run(ctx, factor*capacity, length)

	after, err := v.process.cpu()
	if err != nil {
		return err
	}

	then := load.run(ctx, capacity/factor, recoveryTime)

	load.close()

	seen, err := watched.stop()
	if err != nil {
		return err
	}

	opened, err := breakerOpened(v.process)
	if err != nil {
		return err
	}

	served, refused := over.latencies(v.status), over.latencies(http.StatusServiceUnavailable)

	fmt.Fprintf(w, "| %s | %s | %.0f | %.0f %% | %.0f %% | %s | %.0f %% | %s | %d | %d | %d | %.0f ms | %s | %s |\n", p.name, v.name, capacity,
		100*float64(len(served))/length.Seconds()/capacity, 100*float64(len(served))*each.Seconds()/(after-before).Seconds(),
		middleAnd99(served), 100*float64(len(refused))/float64(len(over.samples)), middleAnd99(refused),
		len(over.samples)-len(served)-len(refused), opened, seen.limit, seen.longest().Seconds()*1000, then.recovered(v.status),
		middleAnd99(over.late))

	return ctx.Err()
}

// capacityOf is how many requests a gateway serves in a second if it always has some, and no more than a few; and how much CPU each
// takes.
func capacityOf(ctx context.Context, v variant) (perSecond float64, each time.Duration, err error) {
	if _, err := serve(ctx, v, capacityTime); err != nil {
		return 0, 0, err
	}

	before, err := v.process.cpu()
	if err != nil {
		return 0, 0, err
	}

	served, err := serve(ctx, v, capacityTime)
	if err != nil {
		return 0, 0, err
	}

	after, err := v.process.cpu()

	return float64(served) / capacityTime.Seconds(), (after - before) / time.Duration(served), err
}

// serve loads a gateway in a closed loop and returns how many requests it has served. On a busy machine it may refuse some.
func serve(ctx context.Context, v variant, length time.Duration) (int64, error) {
	var (
		running errgroup.Group
		served  atomic.Int64
		end     = time.Now().Add(length)
	)

	for i := range capacityWorkers {
		c, err := dial(v.process.address)
		if err != nil {
			return 0, err
		}

		running.Go(func() error {
			defer c.close()

			for time.Now().Before(end) && ctx.Err() == nil {
				switch status, err := c.do(v.of(i)); {
				case err != nil:
					return err
				case status == v.status:
					served.Add(1)
				default:
					time.Sleep(pollInterval)
				}
			}

			return nil
		})
	}

	if err := running.Wait(); err != nil {
		return 0, err
	}

	if served.Load() == 0 {
		return 0, errors.New("nothing was served")
	}

	return served.Load(), ctx.Err()
}
