package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// settings are those of the tests: four calls within ten seconds, half of them failed, open it for two.
var settings = config.Breaker{FailureRatio: 0.5, MinRequests: 4, Window: 10 * time.Second, OpenFor: 2 * time.Second}

var (
	unavailable = status.Error(codes.Unavailable, "connection refused")
	tooLate     = status.Error(codes.DeadlineExceeded, "too late")
)

// call makes calls with these outcomes, all of which must be let through.
func call(tb testing.TB, b *breaker.Breaker, outcomes ...error) {
	tb.Helper()

	for i, err := range outcomes {
		done, refused := b.Allow()
		if refused != nil {
			tb.Fatalf("call %d of %d was refused: %v", i+1, len(outcomes), refused)
		}

		done(err)
	}
}

// opened returns a breaker that has just opened.
func opened(tb testing.TB) *breaker.Breaker {
	tb.Helper()

	b := breaker.New("order", settings, nil)
	call(tb, b, unavailable, unavailable, unavailable, unavailable)
	want(tb, b, breaker.Open)

	return b
}

// halfOpen returns a breaker that would let a probe through.
func halfOpen(tb testing.TB) *breaker.Breaker {
	tb.Helper()

	b := opened(tb)
	time.Sleep(settings.OpenFor + time.Millisecond)
	want(tb, b, breaker.HalfOpen)

	return b
}

func want(tb testing.TB, b *breaker.Breaker, state breaker.State) {
	tb.Helper()

	if got := b.State(); got != state {
		tb.Fatalf("the breaker is %s, want %s", got, state)
	}

	if got := b.Closed(); got != (state == breaker.Closed) {
		tb.Fatalf("Closed is %t in a breaker that is %s", got, state)
	}
}

func refused(tb testing.TB, b *breaker.Breaker) {
	tb.Helper()

	if _, err := b.Allow(); !errors.Is(err, breaker.ErrOpen) {
		tb.Fatalf("Allow: got %v, want a refusal", err)
	}
}

func TestOpensAtTheRatioOfEnoughCalls(t *testing.T) {
	t.Parallel()

	bad := unavailable

	tests := []struct {
		name     string
		outcomes []error
		want     breaker.State
	}{
		{"too_few_calls", []error{bad, bad, bad}, breaker.Closed},
		{"enough_calls", []error{bad, bad, bad, bad}, breaker.Open},
		{"just_the_ratio", []error{nil, nil, bad, bad}, breaker.Open},
		{"just_below_the_ratio", []error{nil, nil, nil, bad, bad}, breaker.Closed},
		{"many_good_and_few_bad", []error{nil, nil, nil, nil, nil, nil, nil, bad, bad, bad}, breaker.Closed},
		{"timeouts_and_unavailability_together", []error{nil, nil, bad, tooLate}, breaker.Open},
		{"uncounted_calls_are_not_enough_calls", []error{
			bad, bad, breaker.ErrNotCounted, breaker.ErrNotCounted, breaker.ErrNotCounted,
		}, breaker.Closed},
		{"uncounted_calls_do_not_dilute", []error{
			breaker.ErrNotCounted, breaker.ErrNotCounted, breaker.ErrNotCounted, breaker.ErrNotCounted, nil, nil, bad, bad,
		}, breaker.Open},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b := breaker.New("order", settings, nil)
				call(t, b, tt.outcomes...)
				want(t, b, tt.want)
			})
		})
	}
}

// What a call's end says about the backend shows twice: four of them open a closed breaker, or do not, and a probe that ends so
// opens, closes or leaves a half-open one.
func TestWhatCountsAgainstTheBackend(t *testing.T) {
	t.Parallel()

	const (
		failure    = breaker.Open
		healthy    = breaker.Closed
		notCounted = breaker.HalfOpen
	)

	tests := []struct {
		name string
		err  error
		want breaker.State
	}{
		{"unavailable_is_a_failure", unavailable, failure},
		{"deadline_exceeded_is_a_failure", tooLate, failure},
		{"wrapped_unavailable_is_a_failure", fmt.Errorf("leg: %w", unavailable), failure},
		{"success_is_healthy", nil, healthy},
		{"invalid_argument_is_healthy", status.Error(codes.InvalidArgument, ""), healthy},
		{"not_found_is_healthy", status.Error(codes.NotFound, ""), healthy},
		{"unauthenticated_is_healthy", status.Error(codes.Unauthenticated, ""), healthy},
		{"permission_denied_is_healthy", status.Error(codes.PermissionDenied, ""), healthy},
		{"internal_is_healthy", status.Error(codes.Internal, ""), healthy},
		{"unknown_is_healthy", status.Error(codes.Unknown, ""), healthy},
		{"resource_exhausted_is_healthy", status.Error(codes.ResourceExhausted, ""), healthy},
		{"aborted_is_healthy", status.Error(codes.Aborted, ""), healthy},
		{"unimplemented_is_healthy", status.Error(codes.Unimplemented, ""), healthy},
		{"error_without_a_status_is_healthy", io.ErrUnexpectedEOF, healthy},
		{"canceled_is_not_counted", status.FromContextError(context.Canceled).Err(), notCounted},
		{"ErrNotCounted_is_not_counted", breaker.ErrNotCounted, notCounted},
		{"wrapped_ErrNotCounted_is_not_counted", fmt.Errorf("%w: %w", breaker.ErrNotCounted, unavailable), notCounted},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				closed := breaker.New("order", settings, nil)
				call(t, closed, tt.err, tt.err, tt.err, tt.err)

				if got := closed.State(); (got == breaker.Open) != (tt.want == failure) {
					t.Errorf("after four of them a closed breaker is %s", got)
				}

				probing := halfOpen(t)
				call(t, probing, tt.err)
				want(t, probing, tt.want)
			})
		})
	}
}

func TestRefusalSaysWhenToTryAgain(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := opened(t)

		done, err := b.Allow()
		if done != nil || !errors.Is(err, breaker.ErrOpen) {
			t.Fatalf("got %v, want ErrOpen", err)
		}

		st, ok := status.FromError(err)
		if !ok || st.Code() != codes.Unavailable {
			t.Fatalf("got %v, want UNAVAILABLE", err)
		}

		info, ok := st.Details()[0].(*errdetails.RetryInfo)
		if !ok || info.GetRetryDelay().AsDuration() != settings.OpenFor {
			t.Errorf("got %v, want a RetryInfo of %s", st.Details(), settings.OpenFor)
		}

		if want := "order: circuit breaker is open"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
}

func TestStaysOpenForItsTime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := opened(t)

		time.Sleep(settings.OpenFor - time.Millisecond)
		refused(t, b)
		time.Sleep(2 * time.Millisecond)
		want(t, b, breaker.HalfOpen)
	})
}

func TestHalfOpenLetsOneProbeThroughAtATime(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t)

		done, err := b.Allow()
		if err != nil {
			t.Fatalf("the probe was refused: %v", err)
		}

		refused(t, b)
		time.Sleep(time.Hour)
		refused(t, b)
		done(nil)
		want(t, b, breaker.Closed)
	})
}

// Else the breaker would stay half-open for good, with nobody let through.
func TestUncountedProbeAllowsTheNext(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t)

		for range 3 {
			call(t, b, breaker.ErrNotCounted)
			want(t, b, breaker.HalfOpen)
		}

		call(t, b, nil)
		want(t, b, breaker.Closed)
	})
}

func TestRecoveredBreakerStartsAfresh(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := halfOpen(t)
		call(t, b, nil)
		call(t, b, unavailable, unavailable, unavailable)
		want(t, b, breaker.Closed)
		call(t, b, unavailable)
		want(t, b, breaker.Open)
	})
}

// A call that began before the breaker opened ends when it is half-open or closed again; it says nothing about now.
func TestLateOutcomeOfAnEarlierAgeDoesNotCount(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := breaker.New("order", settings, nil)

		late, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}

		call(t, b, unavailable, unavailable, unavailable, unavailable)
		time.Sleep(settings.OpenFor + time.Millisecond)
		want(t, b, breaker.HalfOpen)
		late(unavailable)
		want(t, b, breaker.HalfOpen)
	})
}

func TestOldFailuresLeaveTheWindow(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		after time.Duration
		want  breaker.State
	}{
		{"within_it_they_count", settings.Window - 2*time.Second, breaker.Open},
		{"beyond_it_they_do_not", settings.Window + 2*time.Second, breaker.Closed},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b := breaker.New("order", settings, nil)
				call(t, b, unavailable, unavailable, unavailable)
				time.Sleep(tt.after)
				call(t, b, unavailable)
				want(t, b, tt.want)
			})
		})
	}
}

func TestChangesAreReported(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var told []string

		b := breaker.New("order", settings, func(from, to breaker.State) {
			told = append(told, fmt.Sprintf("%s to %s", from, to))
		})

		call(t, b, unavailable, unavailable, unavailable, unavailable)
		time.Sleep(settings.OpenFor + time.Millisecond)
		call(t, b, unavailable)
		time.Sleep(settings.OpenFor + time.Millisecond)
		call(t, b, nil)

		want := []string{
			"closed to open", "open to half-open", "half-open to open", "open to half-open", "half-open to closed",
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Error(diff)
		}
	})
}
