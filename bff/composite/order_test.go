package composite_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// Whatever comes after what, and however branches end: each starts when the last of those that it comes after has succeeded, and not
// at all if one of them has failed.
func TestAnyBranches(t *testing.T) {
	t.Parallel()

	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) { runAny(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func runAny(t *testing.T, random *rand.Rand) {
	t.Helper()

	// When a branch starts and ends, in time since the run began. Negative: it does not.
	const never = -1

	var (
		all         = strings.Fields(parts)[:1+random.IntN(10)]
		branches    = make([]*composite.Branch, len(all))
		got, starts = make([]time.Duration, len(all)), make([]time.Duration, len(all))
		ends        = make([]time.Duration, len(all))
		missing     []string
		begin       = time.Now()
	)

	for i, name := range all {
		took, outcome := time.Duration(1+random.IntN(50)), random.IntN(12)
		branches[i] = composite.Optional(name, func(context.Context) error {
			got[i] = time.Since(begin)

			time.Sleep(took)

			return end(outcome)
		})
		got[i] = never

		for j := range i {
			if random.IntN(3) > 0 {
				continue
			}

			branches[i] = branches[i].After(branches[j])
			if starts[i] != never {
				starts[i] = max(starts[i], ends[j])
			}

			if ends[j] == never {
				starts[i] = never
			}
		}

		if ends[i] = starts[i] + took; starts[i] == never || outcome < 3 {
			ends[i] = never
			missing = append(missing, name)
		}
	}

	ctx, s := scope.Open(t.Context(), false)
	defer s.Close()

	parts, err := run(ctx, branches...)
	if diff := cmp.Diff(starts, got) + cmp.Diff(missing, names(parts)); err != nil || diff != "" {
		t.Errorf("%v: %s", err, diff)
	}

	if _, waking := s.Progress(); s.Active() != 1 || waking {
		t.Errorf("%d goroutines count, and some are to wake up: %t", s.Active(), waking)
	}
}

// end ends a branch in one of several ways.
func end(outcome int) error {
	switch outcome {
	case 0:
		return errBroken
	case 1:
		panic("on purpose")
	case 2:
		runtime.Goexit()
	}

	return nil
}
