package main

import (
	"context"
	"time"
)

// result is what was measured of one variant.
type result struct {
	variant

	// cpu is per request, by round.
	cpu []time.Duration
	// answers are those of all rounds.
	answers int64
	// mallocs is per request.
	mallocs float64
	// calls are those to the backend, per request.
	calls float64
	// peak is the largest resident set, in bytes.
	peak int64
}

// ratios are those of the CPU to another's, by round.
func (r *result) ratios(to *result) []float64 {
	ratios := make([]float64, len(r.cpu))
	for i, cpu := range r.cpu {
		ratios[i] = float64(cpu) / float64(to.cpu[i])
	}

	return ratios
}

// warmUpShare is that of a round for which the load runs before anything counts.
const warmUpShare = 0.75

// measure loads the variants of a payload in rounds.
func measure(ctx context.Context, f *fleet, p payload, variants []variant, o options) ([]result, error) {
	l, err := newLoader(variants, o, p.stream)
	if err != nil {
		return nil, err
	}
	defer l.close()

	f.progress.sayf("%s: warming up", p.name)

	if _, err := l.run(ctx, time.Duration(warmUpShare*float64(o.round))); err != nil {
		return nil, err
	}

	results, begun := make([]result, len(variants)), make([]counters, len(variants))

	for i, v := range variants {
		results[i].variant = v

		if begun[i], err = begin(ctx, f, v); err != nil {
			return nil, err
		}
	}

	for i := range o.rounds {
		f.progress.sayf("%s: round %d of %d", p.name, i+1, o.rounds)

		if err := measureRound(ctx, l, o.round, results); err != nil {
			return nil, err
		}
	}

	for i := range results {
		if err := results[i].end(ctx, f, begun[i]); err != nil {
			return nil, err
		}
	}

	return results, nil
}

// counters are what a gateway counted when its rounds began.
type counters struct {
	// mallocs are those with the allocations of asking for them.
	mallocs float64
	// calls are those to the backend.
	calls float64
}

func begin(ctx context.Context, f *fleet, v variant) (counters, error) {
	count, cost, err := v.process.mallocsAndCost(ctx)
	if err != nil {
		return counters{}, err
	}

	calls, err := f.backend.callsOf(ctx, v.name)
	if err != nil {
		return counters{}, err
	}

	return counters{mallocs: count + cost, calls: calls}, v.process.forgetPeak()
}

// end finds out what was counted in the rounds.
func (r *result) end(ctx context.Context, f *fleet, begun counters) error {
	count, err := r.process.mallocs(ctx)
	if err != nil {
		return err
	}

	r.mallocs = (count - begun.mallocs) / float64(r.answers)

	if count, err = f.backend.callsOf(ctx, r.name); err != nil {
		return err
	}

	r.calls = (count - begun.calls) / float64(r.answers)
	r.peak, err = r.process.memory("VmHWM")

	return err
}

func measureRound(ctx context.Context, l *loader, length time.Duration, results []result) error {
	before := make([]time.Duration, len(results))

	for i, r := range results {
		var err error
		if before[i], err = r.process.cpu(); err != nil {
			return err
		}
	}

	counts, err := l.run(ctx, length)
	if err != nil {
		return err
	}

	for i := range results {
		r := &results[i]

		now, err := r.process.cpu()
		if err != nil {
			return err
		}

		r.answers += counts[i]
		r.cpu = append(r.cpu, (now-before[i])/time.Duration(counts[i]))
	}

	for _, r := range results {
		if err := r.process.forget(); err != nil {
			return err
		}
	}

	return nil
}
