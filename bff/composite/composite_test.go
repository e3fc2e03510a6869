package composite_test

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
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

var errBroken = errors.New("broken")

// succeed returns a branch's function that takes so long, or until its context ends.
func succeed(d time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fail returns a branch's function that fails after so long, whatever its context says.
func fail(d time.Duration, err error) func(context.Context) error {
	return func(context.Context) error {
		time.Sleep(d)

		return err
	}
}

// run runs the branches for a page, and returns which are missing.
func run(ctx context.Context, branches ...*composite.Branch) ([]reqinfo.MissingPart, error) {
	rec := &reqinfo.Record{}
	err := composite.Run(reqinfo.NewContext(ctx, rec), newPage(), branches...)

	return rec.Missing(), err
}

func names(missing []reqinfo.MissingPart) []string {
	var all []string
	for _, part := range missing {
		all = append(all, part.Name)
	}

	return all
}

func TestBranchesRunAtTheSameTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()

		missing, err := run(t.Context(),
			composite.Required("a", succeed(100*time.Millisecond)), composite.Required("b", succeed(50*time.Millisecond)),
			composite.Optional("c", succeed(100*time.Millisecond)))
		if err != nil || len(missing) != 0 {
			t.Fatalf("Run: %v, %v", missing, err)
		}

		if got := time.Since(start); got != 100*time.Millisecond {
			t.Errorf("took %s", got)
		}
	})
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
		waits := composite.Required("waits", sibling)
		start := time.Now()

		missing, err := run(t.Context(),
			waits,
			composite.Optional("waits_too", sibling),
			composite.Required("fails", fail(30*time.Millisecond, errBroken)),
			composite.Required("too_late", func(context.Context) error {
				started.Add(1)

				return nil
			}).After(waits))

		if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "fails") {
			t.Errorf("error %v does not wrap %q with the name of the branch", err, errBroken)
		}

		if missing != nil {
			t.Errorf("missing beside an error: %v", missing)
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

func TestAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var order *orderv1.Order

		start := time.Now()
		orders := composite.Required("orders", func(ctx context.Context) error {
			order = &orderv1.Order{UserId: "usr_1"}

			return succeed(10 * time.Millisecond)(ctx)
		})
		user := composite.Optional("user", succeed(20*time.Millisecond)).After(orders)

		var seen string

		profile := composite.Required("profile", func(ctx context.Context) error {
			seen = order.GetUserId()

			return succeed(5 * time.Millisecond)(ctx)
		}).After(orders, user)
		apart := composite.Optional("slow", succeed(30*time.Millisecond))

		if err := composite.Run(t.Context(), newPage(), orders, apart, user, profile); err != nil {
			t.Fatal(err)
		}

		if got := time.Since(start); got != 35*time.Millisecond || seen != "usr_1" {
			t.Errorf("took %s, user %q", got, seen)
		}
	})
}

// What needs a part that is missing is missing for the same reason.
func TestAfterAFailure(t *testing.T) {
	t.Parallel()

	down := status.Error(codes.Unavailable, "10.0.0.7: connection refused")
	never := func(context.Context) error { panic("started") }
	orders := composite.Optional("orders", fail(0, down))

	var page dashboardv1.Dashboard

	err := composite.Run(t.Context(), &page, orders, composite.Optional("profile", never).After(orders))
	if err != nil {
		t.Fatal(err)
	}

	const text = "a service that is needed for the response is not available at the moment"

	want := []*porticov1.PartialError{
		{Part: "orders", Code: code.Code_UNAVAILABLE, Message: text},
		{Part: "profile", Code: code.Code_UNAVAILABLE, Message: text},
	}
	if diff := cmp.Diff(want, page.GetPartialErrors(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}

	err = composite.Run(t.Context(), &page, orders, composite.Required("profile", never).After(orders))
	if status.Code(err) != codes.Unavailable || !strings.Contains(err.Error(), "branch profile: branch orders") {
		t.Errorf("error = %v", err)
	}
}

// A branch does not wait for the others that it comes after, once one of them is missing.
func TestAfterAFailureBesideASlowBranch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		fails := composite.Optional("fails", fail(10*time.Millisecond, errBroken))
		slow := composite.Required("slow", succeed(time.Hour))

		_, err := run(t.Context(), fails, slow, composite.Required("profile", succeed(0)).After(slow, fails))
		if !errors.Is(err, errBroken) || time.Since(start) != 10*time.Millisecond {
			t.Errorf("error %v after %s", err, time.Since(start))
		}
	})
}

func TestMisuse(t *testing.T) {
	t.Parallel()

	fine := func(context.Context) error { return nil }
	first := composite.Required("first", fine)
	second := composite.Required("second", fine).After(first)

	for want, err := range map[string]error{
		"branch second comes after first, which must be given before it": composite.Run(t.Context(), newPage(), second, first),
		"branch second comes after first":                                composite.Run(t.Context(), newPage(), second),
		"branch first is given more than once":                           composite.Run(t.Context(), newPage(), first, first),
		"order.v1.Order has no repeated portico.v1.PartialError": composite.Run(
			t.Context(), &orderv1.Order{}, composite.Optional("order_id", fine)),
		"branch orderId must have the name of the field of order.v1.Order that it fills": composite.Run(
			t.Context(), &orderv1.Order{}, composite.Required("orderId", fine)),
		"branch partial_errors must have the name": composite.Run(t.Context(), newPage(), composite.Required("partial_errors", fine)),
		"Run has no page":                          errors.Join(composite.Run(t.Context(), nil), composite.Run(t.Context(), (*orderv1.Order)(nil))),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}

	// A page that needs all of its parts cannot say that one is missing.
	if err := composite.Run(t.Context(), &orderv1.Order{}, composite.Required("order_id", fine)); err != nil {
		t.Error(err)
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()

		missing, err := run(t.Context(),
			composite.Required("quick", succeed(10*time.Millisecond)).Within(time.Second),
			composite.Optional("slow", succeed(time.Hour)).Within(50*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}

		if len(missing) != 1 || missing[0].Name != "slow" || !errors.Is(missing[0].Cause, context.DeadlineExceeded) {
			t.Errorf("missing = %v", missing)
		}

		if got := time.Since(start); got != 50*time.Millisecond {
			t.Errorf("took %s", got)
		}
	})
}

func TestMissingPartsAreInTheOrderGiven(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		missing, err := run(t.Context(),
			composite.Optional("third", fail(3*time.Millisecond, errBroken)),
			composite.Required("fine", succeed(time.Millisecond)),
			composite.Optional("first", fail(time.Millisecond, errBroken)),
			composite.Optional("second", fail(2*time.Millisecond, errBroken)))
		if err != nil {
			t.Fatal(err)
		}

		if diff := cmp.Diff([]string{"third", "first", "second"}, names(missing)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestBranchDeadline(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name    string
		request time.Duration // Zero: no deadline.
		within  time.Duration
		want    time.Duration // Zero: no deadline.
	}{
		{"none", 0, 0, 0},
		{"own_timeout_alone", 0, 70 * time.Millisecond, 70 * time.Millisecond},
		{"request_less_time_to_respond", 100 * time.Millisecond, 0, 80 * time.Millisecond},
		{"own_timeout_is_shorter", 100 * time.Millisecond, 30 * time.Millisecond, 30 * time.Millisecond},
		{"own_timeout_is_longer", 100 * time.Millisecond, time.Hour, 80 * time.Millisecond},
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

				_, err := run(ctx, composite.Required("user", func(ctx context.Context) error {
					if deadline, ok := ctx.Deadline(); ok {
						got = time.Until(deadline)
					}

					return nil
				}).Within(tt.within))
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
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()

		never := func(context.Context) error { panic("started") }

		if _, err := run(ctx, composite.Required("a", never)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error = %v", err)
		}

		missing, err := run(ctx, composite.Optional("b", never))
		if err != nil || len(missing) != 1 || !errors.Is(missing[0].Cause, context.DeadlineExceeded) {
			t.Errorf("missing = %v, error = %v", missing, err)
		}
	})
}

func TestParentEnds(t *testing.T) {
	t.Parallel()

	for name, leg := range map[string]func(context.Context) error{
		"as_context_error": succeed(time.Hour),
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

				if _, err := run(ctx, composite.Required("user", leg)); !errors.Is(err, context.Canceled) {
					t.Errorf("error %v is not that of the context", err)
				}
			})
		})
	}
}

func TestHazard18PanicBecomesTheErrorOfItsBranch(t *testing.T) {
	t.Parallel()

	explode := func(context.Context) error { panic("secret value") }

	missing, err := run(t.Context(), composite.Optional("bomb", explode))
	if err != nil || len(missing) != 1 {
		t.Fatalf("Run: %v, %v", missing, err)
	}

	var asPanic *composite.PanicError
	if !errors.As(missing[0].Cause, &asPanic) || asPanic.Value != "secret value" {
		t.Fatalf("cause = %#v", missing[0].Cause)
	}

	if !strings.Contains(string(asPanic.Stack), "TestHazard18") {
		t.Errorf("the stack does not show where the panic was:\n%s", asPanic.Stack)
	}

	if strings.Contains(asPanic.Error(), "goroutine") {
		t.Errorf("Error() shows the stack: %s", asPanic.Error())
	}

	_, err = run(t.Context(), composite.Required("bomb", explode))
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

	_, err := run(t.Context(), composite.Required("leaves", leave), composite.Required("waits", wait))
	if !errors.Is(err, composite.ErrExited) {
		t.Errorf("error = %v", err)
	}

	leaves := composite.Optional("leaves", leave)

	missing, err := run(t.Context(), leaves, composite.Optional("user", wait).After(leaves), composite.Required("fine", succeed(0)))
	if diff := cmp.Diff([]string{"leaves", "user"}, names(missing)); err != nil || diff != "" {
		t.Errorf("error %v, missing:\n%s", err, diff)
	}
}

func TestStatusKeepsCodeAndMessage(t *testing.T) {
	t.Parallel()

	notFound := status.Error(codes.NotFound, "no user u1")

	_, err := run(t.Context(), composite.Required("user", fail(0, notFound)))
	if st, ok := status.FromError(err); !ok || st.Code() != codes.NotFound || st.Message() != "no user u1" {
		t.Errorf("status = %v, %t", st, ok)
	}

	if !errors.Is(err, notFound) {
		t.Errorf("errors.Is does not find what the branch returned in %v", err)
	}

	_, err = run(t.Context(), composite.Required("user", fail(0, errBroken)))
	if _, ok := status.FromError(err); ok {
		t.Errorf("a plain error has become a status: %v", err)
	}
}

func TestRunWithoutBranches(t *testing.T) {
	t.Parallel()

	if missing, err := run(t.Context()); missing != nil || err != nil {
		t.Errorf("Run: %v, %v", missing, err)
	}
}

// Once, only composites of this repository could say that a part is missing, and the partial responses of others were cached.
func TestMissingPartsAreOnTheRecord(t *testing.T) {
	t.Parallel()

	fine := func(context.Context) error { return nil }
	broken := func(context.Context) error { return errBroken }
	required, optional := composite.Required, composite.Optional

	for name, tt := range map[string]struct {
		branches []*composite.Branch
		want     []string
	}{
		"optional_fails": {[]*composite.Branch{required("a", fine), optional("b", broken)}, []string{"b"}},
		"optional_panics": {
			[]*composite.Branch{optional("a", func(context.Context) error { panic("bomb") }), optional("b", broken)},
			[]string{"a", "b"},
		},
		"all_succeed":                   {[]*composite.Branch{required("a", fine), optional("b", fine)}, nil},
		"required_fails_as_well":        {[]*composite.Branch{required("a", broken), optional("b", broken)}, nil},
		"in_a_branch_that_succeeds":     {[]*composite.Branch{required("a", nested(broken))}, []string{"inner"}},
		"in_an_optional_branch":         {[]*composite.Branch{optional("a", nested(broken))}, []string{"inner"}},
		"put_right_within_the_branch":   {[]*composite.Branch{optional("a", func(ctx context.Context) error { _ = broken(ctx); return nil })}, nil},
		"in_a_branch_that_is_all_right": {[]*composite.Branch{required("a", nested(fine))}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			missing, _ := run(t.Context(), tt.branches...)
			if diff := cmp.Diff(tt.want, names(missing)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// nested is a branch's function that makes a part of the page of branches of its own.
func nested(inner func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		return composite.Run(ctx, newPage(), composite.Optional("inner", inner))
	}
}

func TestEach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		items := []string{"a", "b", "c", "d", "e"}
		got := make([]string, len(items))
		start := time.Now()

		err := composite.Each(t.Context(), items, 2, func(_ context.Context, i int, item string) error {
			time.Sleep(10 * time.Millisecond)

			got[i] = item

			return nil
		})
		if diff := cmp.Diff(items, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}

		if took := time.Since(start); took != 30*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

func TestEachFails(t *testing.T) {
	t.Parallel()

	var called atomic.Int32

	err := composite.Each(t.Context(), make([]int, 100), 1, func(context.Context, int, int) error {
		called.Add(1)

		panic("secret")
	})

	var panicked *composite.PanicError
	if !errors.As(err, &panicked) || called.Load() != 1 {
		t.Errorf("error %v after %d calls", err, called.Load())
	}

	err = composite.Each(t.Context(), make([]int, 2), 0, func(ctx context.Context, i, _ int) error {
		if i == 0 {
			runtime.Goexit()
		}

		<-ctx.Done()

		return ctx.Err()
	})
	if !errors.Is(err, composite.ErrExited) {
		t.Errorf("error = %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	never := func(context.Context, int, int) error { panic("called") }
	if err := composite.Each(ctx, make([]int, 3), 0, never); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestCaller(t *testing.T) {
	t.Parallel()

	ctx := reqinfo.NewContext(t.Context(), &reqinfo.Record{Principal: reqinfo.Principal{
		Subject: "usr_1", Issuer: "https://id.example", Tenant: "acme", Scopes: []string{"orders:read"}, Roles: []string{"clerk"},
	}})

	caller := composite.Caller(ctx)
	if caller.Anonymous() || caller.Subject != "usr_1" || caller.Tenant != "acme" || !caller.HasScope("orders:read") || !caller.HasRole("clerk") {
		t.Errorf("caller = %+v", caller)
	}

	if caller := composite.Caller(t.Context()); !caller.Anonymous() || caller.HasScope("") || caller.HasRole("") {
		t.Errorf("caller = %+v", caller)
	}
}
