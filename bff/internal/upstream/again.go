package upstream

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/policy"
)

// again makes a call once more that failed after its header. gRPC takes a header for an answer and retries no call that has one
// (gRFC A6): of a stream, the caller may have used it. Of a call with a single answer nothing was used. Node writes the header well
// before the message, so that a server that is killed would fail calls that may be repeated.
type again struct {
	retry  *policy.Retry
	codes  []codes.Code
	budget *budget
}

func newAgain(retry *policy.Retry, budget *budget) *again {
	if retry == nil || retry.MaxAttempts <= 1 {
		return nil
	}

	return &again{retry: retry, codes: retryable(retry), budget: budget}
}

// call makes a call, and a second one if it must and may. Either of them is all of gRPC's attempts. A nil again makes one call.
func (a *again) call(ctx context.Context, opts []grpc.CallOption, next func([]grpc.CallOption) error) error {
	if a == nil {
		return next(opts)
	}

	a.budget.earn()

	var header, trailer metadata.MD

	err := next(append(slices.Clip(opts), grpc.Header(&header), grpc.Trailer(&trailer)))
	if err == nil || len(header) == 0 || !slices.Contains(a.codes, status.Code(err)) {
		return err
	}

	// A backend that says when to come back has not been killed.
	if len(trailer.Get("grpc-retry-pushback-ms")) > 0 || !a.budget.spend() || !pause(ctx, a.retry.InitialBackoff) {
		return err
	}

	return next(opts)
}

// pause waits, within a fifth, as gRPC does between attempts. It reports whether there is time left.
func pause(ctx context.Context, around time.Duration) bool {
	timer := time.NewTimer(time.Duration(float64(around) * (0.8 + 0.4*rand.Float64()))) //nolint:gosec,mnd // Not a secret.
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
