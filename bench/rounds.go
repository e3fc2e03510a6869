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
func (r result) ratios(to result) []float64 {
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

	f.progress.say("%s: warming up", p.name)

	if _, err := l.run(ctx, time.Duration(warmUpShare*float64(o.round))); err != nil {
		return nil, err
	}

	results := make([]result, len(variants))
	// At the beginning, mallocs with those of the questions.
	mallocs, calls := make([]float64, len(variants)), make([]float64, len(variants))

	for i, v := range variants {
		results[i].variant = v

		count, cost, err := v.process.mallocsAndCost(ctx)
		if err != nil {
			return nil, err
		}

		mallocs[i] = count + cost

		if calls[i], err = f.backend.callsOf(ctx, v.name); err != nil {
			return nil, err
		}

		if err := v.process.forgetPeak(); err != nil {
			return nil, err
		}
	}

	for i := range o.rounds {
		f.progress.say("%s: round %d of %d", p.name, i+1, o.rounds)

		if err := measureRound(ctx, l, o.round, results); err != nil {
			return nil, err
		}
	}

	for i, v := range variants {
		count, err := v.process.mallocs(ctx)
		if err != nil {
			return nil, err
		}

		results[i].mallocs = (count - mallocs[i]) / float64(results[i].answers)

		if count, err = f.backend.callsOf(ctx, v.name); err != nil {
			return nil, err
		}

		results[i].calls = (count - calls[i]) / float64(results[i].answers)

		if results[i].peak, err = v.process.memory("VmHWM"); err != nil {
			return nil, err
		}
	}

	return results, nil
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
