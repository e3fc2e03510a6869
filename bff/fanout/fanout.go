package fanout

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// DefaultReserve is the time reserved for the response unless Options say otherwise: enough to marshal a large response and
// to put it on the wire, and little beside the timeouts of routes, which are hundreds of milliseconds.
const DefaultReserve = 20 * time.Millisecond

// Options hold for one call of Run.
type Options struct {
	// Limit is how many branches run at the same time. Zero: all of them.
	Limit int
	// Reserve is taken off the context's deadline, so that there is time left to respond with what did arrive. Zero:
	// DefaultReserve.
	Reserve time.Duration
}

// Branch is one leg of a fan-out, made by Required or Optional.
type Branch struct {
	name     string
	timeout  time.Duration
	required bool
	run      func(context.Context) error
}

// Failure is an optional branch that failed.
type Failure struct {
	// Branch is its name.
	Branch string
	// Err is what it returned, or a *PanicError, or the error of the context if there was no time left to start it.
	Err error
}

// Required makes a branch without which there is no response: its error cancels the others and is what Run returns. A timeout of
// zero leaves it the time of the request.
//
// The function runs on a goroutine of its own. It must return soon after its context ends, because Run waits for it.
func Required(name string, timeout time.Duration, run func(context.Context) error) Branch {
	return Branch{name: name, timeout: timeout, required: true, run: run}
}

// Optional makes a branch whose failure Run reports and otherwise ignores. The rest is as for Required.
func Optional(name string, timeout time.Duration, run func(context.Context) error) Branch {
	return Branch{name: name, timeout: timeout, required: false, run: run}
}

// Run runs the branches and returns when all of them have returned. The failures are those of optional branches, in the order in
// which the branches were given; there are none beside an error.
//
// Each failure is also recorded on the request whose context ctx is or comes from: it appears once in the log, and the response
// counts as partial, so that it is not cached. A branch that can put something in place of what is missing does so itself, and
// succeeds.
//
// The error is that of the required branch that failed first. It names the branch, and errors.Is, errors.As and status.FromError
// see through to what the branch returned. If the branch failed because ctx ended, it is also the error of ctx.
func Run(ctx context.Context, opts Options, branches ...Branch) ([]Failure, error) {
	budget, cancel := withReserve(ctx, opts.Reserve)
	defer cancel()

	group, groupCtx := errgroup.WithContext(budget)
	if opts.Limit > 0 {
		group.SetLimit(opts.Limit)
	}

	// A slot per branch: no two goroutines write the same one, and Wait orders the writes before the reads.
	failed := make([]error, len(branches))

	for i, branch := range branches {
		group.Go(func() error {
			// It stays if the branch leaves by runtime.Goexit, which t.FailNow calls too, and which errgroup takes for success.
			failed[i] = ErrExited

			defer func() {
				if failed[i] != nil && branch.required {
					cancel()
				}
			}()

			err := branch.call(groupCtx)
			if err == nil || !branch.required {
				failed[i] = err

				return nil
			}

			failed[i] = nil

			return named(branch.name, blame(ctx, err))
		})
	}

	optional, err := failures(ctx, branches, failed, group.Wait())
	for _, failure := range optional {
		reqinfo.From(ctx).Miss(failure.Branch, failure.Err)
	}

	return optional, err
}

// failures is what Run returns when the group has ended. A required branch is among the failed ones only if it has exited.
func failures(ctx context.Context, branches []Branch, failed []error, first error) ([]Failure, error) {
	var optional []Failure

	for i, err := range failed {
		switch {
		case err == nil:
		case branches[i].required:
			return nil, named(branches[i].name, blame(ctx, err))
		default:
			optional = append(optional, Failure{Branch: branches[i].name, Err: err})
		}
	}

	if first != nil {
		return nil, first
	}

	return optional, nil
}

// withReserve brings the deadline of the context, if it has one, forward.
func withReserve(ctx context.Context, reserve time.Duration) (context.Context, context.CancelFunc) {
	if reserve == 0 {
		reserve = DefaultReserve
	}

	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-reserve))
	}

	return context.WithCancel(ctx)
}

// blame adds the error of the context to one that came of its end. A gRPC call reports that end as a status, which errors.Is
// does not recognise.
func blame(ctx context.Context, err error) error {
	cause := ctx.Err()
	if cause == nil || errors.Is(err, cause) {
		return err
	}

	if code := status.Code(err); code == codes.Canceled || code == codes.DeadlineExceeded ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(cause, err)
	}

	return err
}
