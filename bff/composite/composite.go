package composite

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tracing"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// reserve is the part of a request's time that is left for the response: enough to write a large one, and little beside the
// timeouts of routes, which are hundreds of milliseconds.
const reserve = 20 * time.Millisecond

// Run runs the branches of a page, each as soon as those that it comes after have succeeded. It returns when all of them have
// returned, even if ctx has ended. The page is the response: calls that make no part of it need no Run, but Each or errgroup.
//
// If the client asks for some fields of the response (by the query parameter "fields"), the branches for its other fields do not
// run, unless one that runs comes after them.
//
// The page gets a portico.v1.PartialError for each optional branch that has failed, in the order of the branches, in its field of
// the type repeated portico.v1.PartialError; with optional branches, it must have one. Each failure is also in the log of the
// request, once, and no cache takes the page for complete. A branch that can put something in place of what is missing does so
// itself, and returns nil.
//
// The error is that of the required branch that failed first; the page is then worth nothing. It names the branch, and errors.Is,
// errors.As and status.FromError see what the branch returned: a *PanicError if it panicked, ErrExited if it did not return. If the
// branch failed because ctx ended, it is also the error of ctx. A client reads the message of a gRPC status only where its code is
// about the request, and never that of another error.
//
// Mistakes of the composite's own code, such as a branch that is not named after a field of the page, are an error of Run even if
// the branch is optional.
func Run(ctx context.Context, page proto.Message, branches ...*Branch) error {
	to, err := targetOf(page, branches)
	if err != nil {
		return err
	}

	tasks, err := tasksOf(to, branches)
	if err != nil {
		return err
	}

	ctx = skipUnasked(ctx, page, tasks)

	if err := runAll(ctx, tasks); err != nil {
		return blame(ctx, err)
	}

	for i := range tasks {
		if t := &tasks[i]; t.err != nil {
			to.miss(t.name, t.err)
			reqinfo.From(ctx).Miss(t.name, t.err)
		}
	}

	return to.put(tasks)
}

// group are the tasks of one run. It is like an errgroup.Group with a context, but that is also the one with the reserve.
type group struct {
	ctx    context.Context //nolint:containedctx // It is that of the run.
	cancel context.CancelFunc
	// fork counts the goroutines of the tasks among what can make calls, so that these are put into batches.
	fork    *scope.Fork
	running sync.WaitGroup

	failed sync.Once
	err    error
}

// runAll runs the tasks, each when those that it comes after have ended, and returns the first error that is fatal.
func runAll(ctx context.Context, tasks []task) error {
	g := &group{fork: scope.From(ctx).Fork()}

	g.ctx, g.cancel = withReserve(ctx)
	defer g.cancel()

	for i := range tasks {
		if len(tasks[i].after) == 0 {
			tasks[i].start(g)
		}
	}

	return g.fork.Wait(func() error {
		g.running.Wait()

		return g.err
	})
}

// fail ends the run with the error, if it is one, unless another has.
func (g *group) fail(err error) {
	if err != nil {
		g.failed.Do(func() {
			g.err = err
			g.cancel()
		})
	}
}

// task is a branch in one run. It is the context of its function.
type task struct {
	*Branch
	context.Context //nolint:containedctx // It is a context itself.

	group     *group
	goroutine scope.Goroutine

	field protoreflect.FieldDescriptor
	// next are the tasks that come after this one.
	next []*task
	// waits is how many tasks this one waits for, unless failed is one of them that has failed.
	waits  atomic.Int32
	failed atomic.Pointer[task]
	err    error
	// reply is what the branch forwards, once hasReply is true.
	reply    forwarded
	hasReply atomic.Bool
	// skipped reports that it does not run.
	skipped bool
}

type taskKey struct{}

// Value returns the task to the function that Forward returns.
func (t *task) Value(key any) any {
	if key == (taskKey{}) {
		return t
	}

	return t.Context.Value(key)
}

// forwards reports whether the branch has succeeded with a reply that it forwards.
func (t *task) forwards() bool { return t.err == nil && t.hasReply.Load() }

// tasksOf returns a task for each branch. The error is about the composite's own code.
func tasksOf(to target, branches []*Branch) ([]task, error) {
	tasks := make([]task, len(branches))

	for i, b := range branches {
		if slices.ContainsFunc(branches[:i], func(other *Branch) bool { return other.name == b.name }) {
			return nil, misusef("branch %s is given more than once", b.name)
		}

		field, err := to.fieldOf(b)
		if err != nil {
			return nil, err
		}

		t := &tasks[i]
		t.Branch, t.field = b, field
		t.waits.Store(int32(len(b.after)))

		for _, other := range b.after {
			j := slices.Index(branches[:i], other)
			if j < 0 {
				return nil, misusef("branch %s comes after %s, which must be given before it", b.name, other.name)
			}

			tasks[j].next = append(tasks[j].next, t)
		}
	}

	return tasks, nil
}

// start runs the task on a goroutine of its own, unless it is skipped.
func (t *task) start(g *group) {
	if t.skipped {
		return
	}

	t.Context, t.group = g.ctx, g

	g.fork.Start(&t.goroutine)
	g.running.Add(1)

	go t.run()
}

// run runs the branch, unless one that it comes after has failed.
func (t *task) run() {
	defer t.end()

	growStack()
	t.goroutine.Begin()

	if failed := t.failed.Load(); failed != nil {
		t.err = named(failed.name, failed.err)
	} else {
		t.err = ErrExited
		t.traced()
	}
}

// traced calls the function of the branch, within a span of its own if the request has spans.
func (t *task) traced() {
	var span *tracing.Span

	t.Context, span = tracing.Start(t.Context, "branch "+t.name)
	defer func() {
		if t.err != nil {
			span.Fail(problem.From(t.err).Code, t.err.Error())
		}

		span.End()
	}()

	t.err = t.call(t)
}

// fatal returns the error of a branch without which there is no page, or about the code of any.
func (t *task) fatal() error {
	switch {
	case errors.Is(t.err, errMisuse):
		return t.err
	case t.err != nil && t.required:
		return named(t.name, t.err)
	default:
		return nil
	}
}

// end starts the tasks that wait for this one alone or, if it has failed, all that come after it. It is deferred, since a function
// may end its goroutine.
func (t *task) end() {
	t.group.fail(t.fatal())

	for _, next := range t.next {
		if t.err == nil && next.waits.Add(-1) == 0 || t.err != nil && next.failed.CompareAndSwap(nil, t) {
			next.start(t.group)
		}
	}

	t.goroutine.End()
	t.group.running.Done()
}

// withReserve returns a context whose deadline is that of ctx, if it has one, brought forward.
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
