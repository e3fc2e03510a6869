package composite

import (
	"context"
	"slices"
	"time"
)

// Branch fills a part of a page. Required and Optional make one. It is immutable and safe for concurrent use: After and Within
// return another branch, so that no two branches can wait for each other.
type Branch struct {
	name     string
	required bool
	timeout  time.Duration
	after    []*Branch
	run      func(context.Context) error
}

// Required returns a branch without which there is no page: its error cancels the others and is what Run returns.
//
// The name is that of the field of the page that the branch fills, as in the proto ("display_name"); no other branch fills it. The
// function runs on a goroutine of its own. It may write to that field, and to variables that no other branch uses, except those
// that come after it. It must return soon after its context has ended, because Run waits for it.
func Required(name string, run func(context.Context) error) *Branch {
	return &Branch{name: name, required: true, run: run}
}

// Optional returns a branch that a page can do without: its error is an entry of the page. The rest is as for Required.
func Optional(name string, run func(context.Context) error) *Branch {
	return &Branch{name: name, run: run}
}

// After returns a branch that starts when the others have succeeded, and sees what they wrote. If one of them fails, so does this
// one, with the same error. Run gets them before this one, since it is an error if one of them is not among its branches.
func (b *Branch) After(others ...*Branch) *Branch {
	c := *b
	c.after = slices.Concat(b.after, others)

	return &c
}

// Within returns a branch that has at most so much time, from its start. With zero or less it has the time of the request.
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
