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
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
)

// retrier retries calls with a single reply where gRPC's own retries (gRFC A6) do not:
//
//   - Calls that failed after their header. The caller of a stream may have used the header; of a single reply nothing was used.
//     Node sends the header well before the message, so calls fail in between when it is killed.
//   - Calls that the backend cancelled, as the C core and Node do when they shut down. In the service config, CANCELLED would also
//     mean clients that disconnect: gRPC takes a token for each of them, and soon retries nothing.
//
// It is safe for concurrent use.
type retrier struct {
	retry  *policy.Retry
	budget *budget
}

// newRetrier returns nil if calls are not retried.
func newRetrier(retry *policy.Retry, budget *budget) *retrier {
	if retry == nil || retry.MaxAttempts <= 1 {
		return nil
	}

	return &retrier{retry: retry, budget: budget}
}

// call makes a call, with gRPC's retries, and retries it, one attempt at a time. All attempts together, including those of gRPC,
// are at most MaxAttempts. The options get the header of the reply (see call.options). A nil retrier makes one call.
func (r *retrier) call(ctx *balance.Attempts, c *call, reply any, opts []grpc.CallOption) error {
	if r == nil {
		return c.send(ctx, reply, opts)
	}

	header := headerOf(opts)

	for made := 1; ; made++ {
		*header = nil

		err := c.send(ctx, reply, opts)
		if err == nil || ctx.Err() != nil || !r.retryable(status.Code(err), *header != nil) {
			return err
		}

		// A backend that says when to try again is not shutting down.
		if max(made, ctx.Ended()) >= r.retry.MaxAttempts || ctx.Pushback() {
			return err
		}

		if !r.budget.spend() || !pause(ctx, r.backoff(made)) {
			return err
		}

		if made == 1 {
			opts = append(slices.Clip(opts), once())
		}
	}
}

// retryable reports whether a call with this code is worth another one, and gRPC has made none. The caller's context has not ended.
func (r *retrier) retryable(code codes.Code, replied bool) bool {
	if code == codes.Canceled {
		return slices.Contains(r.retry.Codes, codes.Unavailable) || slices.Contains(r.retry.Codes, codes.Canceled)
	}

	return replied && slices.Contains(r.retry.Codes, code)
}

// backoff is the mean pause after so many calls.
func (r *retrier) backoff(made int) time.Duration {
	d := r.retry.InitialBackoff
	for range made - 1 {
		d *= backoffGrowth
	}

	return min(d, r.retry.MaxBackoff)
}

// pause waits, with a jitter of a fifth, as gRPC does between attempts. It reports whether there is time left.
func pause(ctx context.Context, around time.Duration) bool {
	timer := time.NewTimer(time.Duration(float64(around) * (0.8 + 0.4*rand.Float64()))) //nolint:gosec // Not a secret.
	defer timer.Stop()

	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// headerOf returns where the options put the header of the reply; nil if they do not.
func headerOf(opts []grpc.CallOption) *metadata.MD {
	var header *metadata.MD

	for _, opt := range opts {
		if opt, ok := opt.(grpc.HeaderCallOption); ok {
			header = opt.HeaderAddr
		}
	}

	return header
}
