package composite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// reserve is the part of a request's time that is left for the response: enough to write a large one, and little beside the
// timeouts of routes, which are hundreds of milliseconds.
const reserve = 20 * time.Millisecond

// Run runs the branches of a page, each as soon as those that it comes after have succeeded, and returns when all of them have
// returned.
//
// The page gets a portico.v1.PartialError for each optional branch that has failed, in the order of the branches, in the one field
// of it that has that type; with optional branches, there must be one. Each failure is also on the record of the request whose
// context ctx is or comes from: it is in the log, once, and no cache takes the page for complete. A branch that can put something
// in place of what is missing does so itself, and succeeds.
//
// The error is that of the required branch that failed first; the page is then worth nothing. It names the branch, and errors.Is,
// errors.As and status.FromError see through to what the branch returned. If the branch failed because ctx ended, it is also the
// error of ctx. A client reads the message of a gRPC status only where its code is about the request, and never that of another
// error.
func Run(ctx context.Context, page proto.Message, branches ...*Branch) error {
	parts, err := partsOf(page, branches)
	if err != nil {
		return err
	}

	tasks, err := tasksOf(branches)
	if err != nil {
		return err
	}

	budget, cancel := withReserve(ctx)
	defer cancel()

	group, groupCtx := errgroup.WithContext(budget)

	for i := range tasks {
		group.Go(func() error {
			// Even if the branch leaves by runtime.Goexit, which errgroup takes for success.
			defer tasks[i].end(cancel)

			return tasks[i].run(groupCtx)
		})
	}

	if err := firstOf(group.Wait(), tasks); err != nil {
		return blame(ctx, err)
	}

	for i := range tasks {
		if t := &tasks[i]; t.err != nil {
			parts.miss(t.name, t.err)
			reqinfo.From(ctx).Miss(t.name, t.err)
		}
	}

	return nil
}

// task is a branch in one run.
type task struct {
	*Branch

	after []*task
	// done is closed when the task has ended, and err is what it ended with. Nil: no other task waits for it.
	done chan struct{}
	err  error
}

// tasksOf returns a task for each branch. The error is about the composite's own code.
func tasksOf(branches []*Branch) ([]task, error) {
	tasks := make([]task, len(branches))

	for i, b := range branches {
		if slices.ContainsFunc(branches[:i], func(other *Branch) bool { return other.name == b.name }) {
			return nil, fmt.Errorf("composite: branch %s is given more than once", b.name)
		}

		tasks[i] = task{Branch: b, err: ErrExited}

		for _, other := range b.after {
			j := slices.Index(branches[:i], other)
			if j < 0 {
				return nil, fmt.Errorf("composite: branch %s comes after %s, which must be given before it", b.name, other.name)
			}

			if tasks[j].done == nil {
				tasks[j].done = make(chan struct{})
			}

			tasks[i].after = append(tasks[i].after, &tasks[j])
		}
	}

	return tasks, nil
}

// run runs the branch after those that it needs. It returns the error of a required one.
func (t *task) run(ctx context.Context) error {
	t.err = t.wait(ctx)
	if t.err == nil {
		t.err = ErrExited
		t.err = t.call(ctx)
	}

	if t.err == nil || !t.required {
		return nil
	}

	return named(t.name, t.err)
}

// wait returns when all that the task comes after has succeeded, or why it did not.
func (t *task) wait(ctx context.Context) error {
	for _, other := range t.after {
		select {
		case <-other.done:
		case <-ctx.Done():
			return ctx.Err()
		}

		if other.err != nil {
			return named(other.name, other.err)
		}
	}

	return nil
}

// end tells those that come after the task, and ends the others if there is no page without it.
func (t *task) end(cancel context.CancelFunc) {
	if t.done != nil {
		close(t.done)
	}

	if t.required && t.err != nil {
		cancel()
	}
}

// firstOf returns the first error of a required branch: that of the group, or of one that has exited, which the group does not see.
func firstOf(first error, tasks []task) error {
	for i := range tasks {
		if t := &tasks[i]; t.required && errors.Is(t.err, ErrExited) {
			return named(t.name, t.err)
		}
	}

	return first
}

// withReserve brings the deadline of the context, if it has one, forward.
func withReserve(ctx context.Context) (context.Context, context.CancelFunc) {
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
