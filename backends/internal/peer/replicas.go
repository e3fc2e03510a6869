package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A call goes to one replica after the other until one answers. Three attempts fit into Timeout; the last has what is left of it.
const (
	maxAttempts    = 3
	attemptTimeout = 400 * time.Millisecond
)

// A replica that did not answer is left alone for a time that doubles with every failure in a row.
const (
	firstRest = time.Second
	lastRest  = 8 * time.Second
)

// Conn is a connection to a service with all of its replicas. A call that a replica does not answer, because it is gone or because
// it hangs, is made again with another. That is for calls that may arrive twice; those among backends may: they read, or their
// receiver tells by an id. Conn is safe for concurrent use.
type Conn struct {
	replicas []*replica

	mu   sync.Mutex
	next int
}

// replica is a connection to one of them, or to a name that stands for several.
type replica struct {
	*grpc.ClientConn

	// Guarded by the lock of Conn. Rest is 0 unless it failed the last time.
	rest    time.Duration
	restsTo time.Time
}

// Invoke implements grpc.ClientConnInterface.
func (c *Conn) Invoke(ctx context.Context, method string, args, reply any, opts ...grpc.CallOption) error {
	for left := min(len(c.replicas), maxAttempts); ; left-- {
		silent, err := c.try(ctx, left > 1, func(ctx context.Context, conn *grpc.ClientConn) error {
			return conn.Invoke(ctx, method, args, reply, opts...)
		})
		if !silent || left <= 1 {
			return err
		}
	}
}

// try makes a call with one replica and reports whether it was silent.
func (c *Conn) try(
	ctx context.Context, hurry bool, call func(ctx context.Context, conn *grpc.ClientConn) error,
) (silent bool, err error) {
	attempt := ctx

	if hurry {
		var cancel context.CancelFunc

		attempt, cancel = context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
	}

	r := c.pick(time.Now())
	err = call(attempt, r.ClientConn)

	// What ended because the caller had no more time says little about the replica.
	if ctx.Err() != nil {
		return false, err
	}

	code := status.Code(err)
	silent = code == codes.Unavailable || code == codes.DeadlineExceeded
	c.note(r, silent, time.Now())

	return silent, err
}

// NewStream implements grpc.ClientConnInterface. A stream is not begun again.
func (c *Conn) NewStream(
	ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return c.pick(time.Now()).NewStream(ctx, desc, method, opts...)
}

// Close closes the connections to all replicas.
func (c *Conn) Close() error {
	failures := make([]error, 0, len(c.replicas))

	for _, r := range c.replicas {
		if err := r.Close(); err != nil {
			failures = append(failures, fmt.Errorf("close %s: %w", r.Target(), err))
		}
	}

	return errors.Join(failures...)
}

// pick takes them in turn, without those that rest, unless all do: then it is the one that has rested longest. Whoever gets one
// back from its rest is alone with it until it is known whether it answers.
func (c *Conn) pick(now time.Time) *replica {
	c.mu.Lock()
	defer c.mu.Unlock()

	var best *replica

	for i := range c.replicas {
		r := c.replicas[(c.next+i)%len(c.replicas)]
		if best == nil || !best.restsTo.Before(now) && r.restsTo.Before(best.restsTo) {
			best = r
		}
	}

	c.next++

	if best.rest > 0 {
		best.restsTo = now.Add(attemptTimeout)
	}

	return best
}

func (c *Conn) note(r *replica, silent bool, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()

	if !silent {
		r.rest, r.restsTo = 0, time.Time{}

		return
	}

	r.rest = min(max(r.rest+r.rest, firstRest), lastRest)
	r.restsTo = now.Add(r.rest)
}
