package composite

import (
	"context"
	"slices"
	"time"
)

// Branch is a part of a page, made by Required or Optional. It is immutable: After and Within return a branch of their own, so that
// no two branches can wait for each other.
type Branch struct {
	name     string
	required bool
	timeout  time.Duration
	after    []*Branch
	run      func(context.Context) error
}

// Required makes a branch without which there is no page: its error cancels the others and is what Run returns.
//
// The name is that of the field of the page that the branch fills, as in the proto; no other branch fills it. The function runs on
// a goroutine of its own. It may write to the page and to variables that no other branch uses, except one that comes after it. It
// must return soon after its context has ended, because Run waits for it.
func Required(name string, run func(context.Context) error) *Branch {
	return &Branch{name: name, required: true, run: run}
}

// Optional makes a branch that a page can do without. The rest is as for Required.
func Optional(name string, run func(context.Context) error) *Branch {
	return &Branch{name: name, run: run}
}

// After returns the branch as one that starts when the others have succeeded, and sees what they wrote. If one of them is missing,
// this one is missing as well.
func (b *Branch) After(others ...*Branch) *Branch {
	c := *b
	c.after = slices.Concat(b.after, others)

	return &c
}

// Within returns the branch as one that has at most so much time from its start. Without it, a branch has the time of the request.
func (b *Branch) Within(timeout time.Duration) *Branch {
	c := *b
	c.timeout = timeout

	return &c
}

// call runs the branch within its own timeout, unless the time is over before it starts.
func (b *Branch) call(ctx context.Context) error {
	if b.timeout > 0 {
		var cancel context.CancelFunc

		ctx, cancel = context.WithTimeout(ctx, b.timeout)
		defer cancel()
	}

	if err := ctx.Err(); err != nil {
		return err
	}

	return contained(func() error { return b.run(ctx) })
}
