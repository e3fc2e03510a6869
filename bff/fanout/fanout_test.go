package fanout_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/fanout"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

var errBroken = errors.New("broken")

// take returns a leg that takes so long, or until its context ends.
func take(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fail returns a leg that fails after so long, whatever its context says.
func fail(d time.Duration, err error) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(d)

		return err
	}
}

func TestRunTakesAsLongAsTheLimitAllows(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		limit int
		want  time.Duration
	}{
		{"all_at_once", 0, 100 * time.Millisecond},
		{"more_than_there_are", 9, 100 * time.Millisecond},
		{"two_at_a_time", 2, 200 * time.Millisecond},
		{"one_after_another", 1, 300 * time.Millisecond},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				leg := take(100 * time.Millisecond)
				start := time.Now()

				failures, err := fanout.Run(t.Context(), fanout.Options{Limit: tt.limit},
					fanout.Required("a", 0, leg), fanout.Required("b", 0, leg), fanout.Optional("c", 0, leg))
				if err != nil || len(failures) != 0 {
					t.Fatalf("Run: %v, %v", failures, err)
				}

				if got := time.Since(start); got != tt.want {
					t.Errorf("took %s, want %s", got, tt.want)
				}
			})
		})
	}
}

func TestRequiredFailureCancelsSiblings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var returned, started atomic.Int32

		sibling := func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(5 * time.Millisecond) // Cleaning up. Run waits for it.
			returned.Add(1)

			return ctx.Err()
		}
		start := time.Now()

		failures, err := fanout.Run(t.Context(), fanout.Options{Limit: 3},
			fanout.Required("waits", 0, sibling),
			fanout.Optional("waits_too", 0, sibling),
			fanout.Required("fails", 0, fail(30*time.Millisecond, errBroken)),
			fanout.Required("too_late", 0, func(context.Context) error {
				started.Add(1)

				return nil
			}))

		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "fails") {
			t.Errorf("error %v does not wrap %q with the name of the branch", err, errBroken)
		}

		if failures != nil {
			t.Errorf("failures beside an error: %v", failures)
		}

		if got := time.Since(start); got != 35*time.Millisecond {
			t.Errorf("took %s", got)
		}

		if returned.Load() != 2 {
			t.Errorf("Run returned before its branches: %d of 2 had ended", returned.Load())
		}

		if started.Load() != 0 {
			t.Error("a branch was started after a required one had failed")
		}
	})
}

func TestOptionalTimeoutIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()

		failures, err := fanout.Run(t.Context(), fanout.Options{},
			fanout.Required("quick", time.Second, take(10*time.Millisecond)),
			fanout.Optional("slow", 50*time.Millisecond, take(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}

		if len(failures) != 1 || failures[0].Branch != "slow" || !errors.Is(failures[0].Err, context.DeadlineExceeded) {
			t.Errorf("failures = %v", failures)
		}

		if got := time.Since(start); got != 50*time.Millisecond {
			t.Errorf("took %s", got)
		}
	})
}

func TestFailuresAreInTheOrderGiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failures, err := fanout.Run(t.Context(), fanout.Options{},
			fanout.Optional("third", 0, fail(3*time.Millisecond, errBroken)),
			fanout.Required("fine", 0, take(time.Millisecond)),
			fanout.Optional("first", 0, fail(time.Millisecond, errBroken)),
			fanout.Optional("second", 0, fail(2*time.Millisecond, errBroken)))
		if err != nil {
			t.Fatal(err)
		}

		names := make([]string, 0, len(failures))
		for _, f := range failures {
			names = append(names, f.Branch)
		}

		if diff := cmp.Diff([]string{"third", "first", "second"}, names); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBranchDeadline(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name             string
		request, reserve time.Duration // Zero request: no deadline.
		timeout          time.Duration
		want             time.Duration // Zero: no deadline.
	}{
		{"none", 0, 0, 0, 0},
		{"own_timeout_alone", 0, 0, 70 * time.Millisecond, 70 * time.Millisecond},
		{"request_less_default_reserve", 100 * time.Millisecond, 0, 0, 100*time.Millisecond - fanout.DefaultReserve},
		{"request_less_reserve", 100 * time.Millisecond, 40 * time.Millisecond, 0, 60 * time.Millisecond},
		{"own_timeout_is_shorter", 100 * time.Millisecond, 0, 30 * time.Millisecond, 30 * time.Millisecond},
		{"own_timeout_is_longer", 100 * time.Millisecond, 0, time.Hour, 80 * time.Millisecond},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()

				if tt.request > 0 {
					var cancel context.CancelFunc

					ctx, cancel = context.WithTimeout(ctx, tt.request)
					defer cancel()
				}

				var got time.Duration

				_, err := fanout.Run(ctx, fanout.Options{Reserve: tt.reserve},
					fanout.Required("leg", tt.timeout, func(ctx context.Context) error {
						if deadline, ok := ctx.Deadline(); ok {
							got = time.Until(deadline)
						}

						return nil
					}))
				if err != nil || got != tt.want {
					t.Errorf("deadline in %s, want %s (%v)", got, tt.want, err)
				}
			})
		})
	}
}

func TestNothingStartsWithoutTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), fanout.DefaultReserve/2)
		defer cancel()

		run := func(context.Context) error { panic("started") }

		if _, err := fanout.Run(ctx, fanout.Options{}, fanout.Required("a", 0, run)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}

		failures, err := fanout.Run(ctx, fanout.Options{}, fanout.Optional("b", 0, run))
		if err != nil || len(failures) != 1 || !errors.Is(failures[0].Err, context.DeadlineExceeded) {
			t.Errorf("failures = %v, error = %v", failures, err)
		}
	})
}

func TestParentEnds(t *testing.T) {
	t.Parallel()

	for name, leg := range map[string]func(context.Context) error{
		"as_context_error": take(time.Hour),
		"as_status": func(ctx context.Context) error {
			<-ctx.Done()

			return status.FromContextError(ctx.Err()).Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Second, cancel)

				_, err := fanout.Run(ctx, fanout.Options{}, fanout.Required("leg", 0, leg))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("error %v is not that of the context", err)
				}
			})
		})
	}
}

func TestHazard18PanicBecomesTheErrorOfItsBranch(t *testing.T) {
	t.Parallel()

	explode := func(context.Context) error { panic("secret value") }

	failures, err := fanout.Run(t.Context(), fanout.Options{}, fanout.Optional("bomb", 0, explode))
	if err != nil || len(failures) != 1 {
		t.Fatalf("Run: %v, %v", failures, err)
	}

	var asPanic *fanout.PanicError
	if !errors.As(failures[0].Err, &asPanic) || asPanic.Value != "secret value" {
		t.Fatalf("failure = %#v", failures[0].Err)
	}

	if !strings.Contains(string(asPanic.Stack), "TestHazard18") {
		t.Errorf("the stack does not show where the panic was:\n%s", asPanic.Stack)
	}

	if strings.Contains(asPanic.Error(), "goroutine") {
		t.Errorf("Error() shows the stack: %s", asPanic.Error())
	}

	_, err = fanout.Run(t.Context(), fanout.Options{}, fanout.Required("bomb", 0, explode))
	if !errors.As(err, &asPanic) {
		t.Fatalf("error = %v", err)
	}

	if st, ok := status.FromError(err); !ok || st.Code() != codes.Internal || strings.Contains(st.Message(), "secret") {
		t.Errorf("status = %v", st)
	}
}

func TestGoexitIsAnError(t *testing.T) {
	t.Parallel()

	leave := func(context.Context) error {
		runtime.Goexit()

		return nil
	}
	wait := func(ctx context.Context) error {
		<-ctx.Done()

		return ctx.Err()
	}

	_, err := fanout.Run(t.Context(), fanout.Options{}, fanout.Required("leaves", 0, leave), fanout.Required("waits", 0, wait))
	if !errors.Is(err, fanout.ErrExited) {
		t.Errorf("error = %v", err)
	}
}

func TestStatusKeepsCodeAndMessage(t *testing.T) {
	t.Parallel()

	notFound := status.Error(codes.NotFound, "no user u1")

	_, err := fanout.Run(t.Context(), fanout.Options{}, fanout.Required("user", 0, fail(0, notFound)))
	if st, ok := status.FromError(err); !ok || st.Code() != codes.NotFound || st.Message() != "no user u1" {
		t.Errorf("status = %v, %t", st, ok)
	}

	if !errors.Is(err, notFound) {
		t.Errorf("errors.Is does not find what the branch returned in %v", err)
	}

	_, err = fanout.Run(t.Context(), fanout.Options{}, fanout.Required("user", 0, fail(0, errBroken)))
	if _, ok := status.FromError(err); ok {
		t.Errorf("a plain error has become a status: %v", err)
	}
}

func TestRunWithoutBranches(t *testing.T) {
	t.Parallel()

	if failures, err := fanout.Run(t.Context(), fanout.Options{}); failures != nil || err != nil {
		t.Errorf("Run: %v, %v", failures, err)
	}
}

// Once, only composites of this repository could tell that a part is missing, and the partial answers of others were cached.
func TestFailuresAreNotedOnTheRequest(t *testing.T) {
	t.Parallel()

	fine := func(context.Context) error { return nil }
	broken := func(context.Context) error { return errBroken }

	for name, tt := range map[string]struct {
		branches []fanout.Branch
		want     []string
	}{
		"optional_fails": {[]fanout.Branch{fanout.Required("a", 0, fine), fanout.Optional("b", 0, broken)}, []string{"b"}},
		"optional_panics": {
			[]fanout.Branch{fanout.Optional("a", 0, func(context.Context) error { panic("bomb") }), fanout.Optional("b", 0, broken)},
			[]string{"a", "b"},
		},
		"all_succeed":                   {[]fanout.Branch{fanout.Required("a", 0, fine), fanout.Optional("b", 0, fine)}, nil},
		"required_fails_as_well":        {[]fanout.Branch{fanout.Required("a", 0, broken), fanout.Optional("b", 0, broken)}, nil},
		"same_name_twice":               {[]fanout.Branch{fanout.Optional("a", 0, broken), fanout.Optional("a", 0, broken)}, []string{"a"}},
		"in_a_branch_that_succeeds":     {[]fanout.Branch{fanout.Required("a", 0, nested(broken))}, []string{"inner"}},
		"in_an_optional_branch":         {[]fanout.Branch{fanout.Optional("a", 0, nested(broken))}, []string{"inner"}},
		"put_right_within_the_branch":   {[]fanout.Branch{fanout.Optional("a", 0, func(ctx context.Context) error { _ = broken(ctx); return nil })}, nil},
		"in_a_branch_that_is_all_right": {[]fanout.Branch{fanout.Required("a", 0, nested(fine))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			rec := &reqinfo.Record{}
			_, _ = fanout.Run(reqinfo.NewContext(t.Context(), rec), fanout.Options{}, tt.branches...)

			var got []string
			for _, part := range rec.Missing() {
				got = append(got, part.Name)
			}

			if diff := cmp.Diff(tt.want, got); diff != "" || rec.Partial() != (len(tt.want) > 0) {
				t.Errorf("partial %t:\n%s", rec.Partial(), diff)
			}
		})
	}
}

// nested is a leg that fans out itself, and can do without the inner one.
func nested(inner func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := fanout.Run(ctx, fanout.Options{}, fanout.Optional("inner", 0, inner))

		return err
	}
}
