package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	// launches are how often both builds are started anew: what one process costs differs from the next of the same binary.
	launches = 4
	// allocationMargin is by what share more allocations are tolerated.
	allocationMargin = 0.01
	// regressionPayloads are those whose allocations do not depend on which requests meet.
	regressionPayloads = "small,list,post,aggregate,stream,cache"
)

// errWorse is the result of regressions if there are any.
var errWorse = errors.New("portico is worse than the binary of -against")

// comparison is what a payload costs Portico beside another build of it.
type comparison struct {
	// ratios are those of the CPU, by round.
	ratios []float64
	// ours and theirs are allocations per request, by launch.
	ours, theirs []float64
}

// worse says in what Portico is worse, beyond noise: the first quartile of the ratios is above 1 by more than the margin. In other
// words, three rounds of four say so, or three launches of four.
func (c *comparison) worse(margin float64) []string {
	var reasons []string

	if first, _, _ := quartiles(c.ratios, interpolate); first > 1+margin {
		reasons = append(reasons, "CPU")
	}

	allocations := make([]float64, len(c.ours))
	for i := range allocations {
		allocations[i] = c.ours[i] / c.theirs[i]
	}

	if first, _, _ := quartiles(allocations, interpolate); first > 1+allocationMargin {
		reasons = append(reasons, "allocations")
	}

	return reasons
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, value := range values {
		sum += value
	}

	return sum / float64(len(values))
}

// regressions compares Portico with another build of it, in rounds in which both are loaded, and fails if it is worse.
func regressions(ctx context.Context, w io.Writer, f *fleet, selected []payload, o options) error {
	count := min(launches, o.rounds)
	o.rounds = (o.rounds + count - 1) / count
	f.progress.expect(time.Duration((float64(o.rounds) + warmUpShare) * float64(count*len(selected)) * float64(o.round)))

	comparisons := make([]comparison, len(selected))

	for number := range count {
		stop, err := f.startPair(ctx, o, number%2 == 1)
		if err != nil {
			return err
		}

		for i, p := range selected {
			if err := comparisons[i].add(ctx, f, p, o); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}

		stop()
	}

	return reportComparisons(w, selected, comparisons, o.margin)
}

// add measures a payload.
func (c *comparison) add(ctx context.Context, f *fleet, p payload, o options) error {
	variants, err := p.variants(ctx, f)
	if err != nil {
		return err
	}

	if err := check(ctx, p, variants); err != nil {
		return err
	}

	results, err := measure(ctx, f, p, variants, o)
	if err != nil {
		return err
	}

	ours, theirs := &results[0], &results[1]
	if ours.process != f.portico || theirs.process != f.against {
		return errors.New("it is not about the command portico")
	}

	c.ratios = append(c.ratios, ours.ratios(theirs)...)
	c.ours = append(c.ours, ours.mallocs)
	c.theirs = append(c.theirs, theirs.mallocs)

	return nil
}

func reportComparisons(w io.Writer, selected []payload, comparisons []comparison, margin float64) error {
	fmt.Fprint(w, "\n| payload | CPU to against, median (quartiles) | allocations each | of against | worse in |\n|---|---|---|---|---|\n")

	var failed []string

	for i, p := range selected {
		c := &comparisons[i]
		reasons := strings.Join(c.worse(margin), ", ")

		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", p.name, ratio(c.ratios), decimal(mean(c.ours), 1), decimal(mean(c.theirs), 1),
			reasons)

		if reasons != "" {
			failed = append(failed, fmt.Sprintf("%s (%s)", p.name, reasons))
		}
	}

	fmt.Fprintf(w, "\nWorse: the first quartile of the ratios is above %s for CPU, or above %s for allocations.\n",
		decimal(1+margin, 3), decimal(1+allocationMargin, 3))

	if len(failed) > 0 {
		return fmt.Errorf("%w: %s", errWorse, strings.Join(failed, "; "))
	}

	return nil
}
