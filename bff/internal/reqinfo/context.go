package reqinfo

import (
	"context"
	"sync/atomic"
	"time"
)

// Context is the context of a request: that of its server, with the record and, once the route is known, with a deadline. It is the
// only one that most requests have. It is safe for concurrent use; Begin comes before all else.
type Context struct {
	Record

	server context.Context //nolint:containedctx // It is a context itself.
	// current is the context with the deadline. Nil: there is none. It points to limited, which is written before.
	current atomic.Pointer[context.Context]
	limited context.Context //nolint:containedctx // See above.
}

// Begin begins a request that has arrived then, with the context of its server.
func (c *Context) Begin(server context.Context, start time.Time) {
	c.server, c.Start = server, start
}

func (c *Context) now() context.Context {
	if current := c.current.Load(); current != nil {
		return *current
	}

	return c.server
}

// Deadline implements context.Context.
func (c *Context) Deadline() (deadline time.Time, ok bool) { return c.now().Deadline() }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} { return c.now().Done() }

// Err implements context.Context.
func (c *Context) Err() error { return c.now().Err() }

// Value implements context.Context.
func (c *Context) Value(key any) any {
	if IsKey(key) {
		return &c.Record
	}

	return c.now().Value(key)
}

// WithDeadline is context.WithDeadline for the context of a request. It returns the same context if nobody has derived one from it
// and it has no deadline yet; after cancel it has none again. It must be called on the goroutine that serves the request.
func WithDeadline(parent context.Context, deadline time.Time) (_ context.Context, cancel context.CancelFunc) {
	c, ok := parent.(*Context)
	if !ok || c.limited != nil {
		return context.WithDeadline(parent, deadline)
	}

	limited, end := context.WithDeadline(c.server, deadline)
	c.limited = limited
	c.current.Store(&c.limited)

	return c, func() {
		c.current.Store(nil)
		end()
	}
}
