package reqinfo

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

type contextKey struct{}

// NewContext returns a context that carries the record.
func NewContext(ctx context.Context, rec *Record) context.Context {
	return context.WithValue(ctx, contextKey{}, rec)
}

// IsKey reports whether a context returns its record for the key.
func IsKey(key any) bool { return key == contextKey{} }

// From returns the record of the request, or an empty one (never nil) outside of a request.
func From(ctx context.Context) *Record {
	if rec, ok := Lookup(ctx); ok {
		return rec
	}

	return &Record{}
}

// Lookup returns the record of the request; false outside of a request.
func Lookup(ctx context.Context) (*Record, bool) {
	rec, ok := ctx.Value(contextKey{}).(*Record)
	return rec, ok
}

// Context is the context of a request: that of its server, with the record and, once the route is known, with a deadline. It is the
// only one that most requests have. It is safe for concurrent use; Begin comes before all else.
type Context struct {
	Record

	server context.Context //nolint:containedctx // It is a context itself.
	// current is the limit that is in force. Nil: there is none. It points to limit, which is written before.
	current atomic.Pointer[limit]
	limit   limit
}

// limit is a deadline. Its timer starts when anyone waits for it: a request that is served from a cache never does.
type limit struct {
	deadline time.Time
	// started is the context with the timer. Nil: there is none yet.
	started atomic.Pointer[context.Context]

	mu       sync.Mutex
	canceled bool
	cancel   context.CancelFunc
}

// Begin begins a request that has arrived then, with the context of its server.
func (c *Context) Begin(server context.Context, start time.Time) {
	c.server, c.Start = server, start
}

// Deadline implements context.Context.
func (c *Context) Deadline() (deadline time.Time, ok bool) {
	if l := c.current.Load(); l != nil {
		return l.deadline, true
	}

	return c.server.Deadline()
}

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	if l := c.current.Load(); l != nil {
		return l.start(c.server).Done()
	}

	return c.server.Done()
}

// Err implements context.Context.
func (c *Context) Err() error {
	if l := c.current.Load(); l != nil && !time.Now().Before(l.deadline) {
		return l.start(c.server).Err()
	}

	return c.now().Err()
}

// Value implements context.Context.
func (c *Context) Value(key any) any {
	if IsKey(key) {
		return &c.Record
	}

	return c.now().Value(key)
}

// now is the context with the timer, if it has started, or that of the server.
func (c *Context) now() context.Context {
	if l := c.current.Load(); l != nil {
		if started := l.started.Load(); started != nil {
			return *started
		}
	}

	return c.server
}

// start returns the context with the timer, for that of the server.
func (l *limit) start(server context.Context) context.Context {
	if started := l.started.Load(); started != nil {
		return *started
	}

	l.mu.Lock()
	defer l.mu.Unlock()

	if started := l.started.Load(); started != nil {
		return *started
	}

	if !time.Now().Before(l.deadline) {
		// The deadline came first, whatever has happened since.
		server = context.WithoutCancel(server)
	}

	ctx, cancel := context.WithDeadline(server, l.deadline)
	if l.cancel = cancel; l.canceled {
		cancel()
	}

	l.started.Store(&ctx)

	return ctx
}

func (l *limit) end() {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.canceled = true; l.cancel != nil {
		l.cancel()
	}
}

// WithDeadline is context.WithDeadline for the context of a request. It returns the same context if parent is the request's own and
// has no deadline yet; after cancel it has none again. It must be called on the goroutine that serves the request.
func WithDeadline(parent context.Context, deadline time.Time) (_ context.Context, cancel context.CancelFunc) {
	c, ok := parent.(*Context)
	if !ok || !c.limit.deadline.IsZero() {
		return context.WithDeadline(parent, deadline)
	}

	if earlier, ok := c.server.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}

	c.limit.deadline = deadline
	c.current.Store(&c.limit)

	return c, func() {
		c.current.Store(nil)
		c.limit.end()
	}
}
