package upstream

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/breaker"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// call is one call to a backend, from the breaker's consent to its end. Its methods are safe for concurrent use.
type call struct {
	upstream string
	rpc      string
	start    time.Time
	hurried  bool
	observer Observer
	report   func(error)

	judged, ended sync.Once
}

// begin asks the breaker and starts the clock. The caller must call end on what it returns.
func (u *upstream) begin(ctx context.Context, observer Observer, rpc string) (*call, error) {
	rec := reqinfo.From(ctx)
	rec.AddUpstream(u.name)

	// What has no time left says nothing about the backend and need not trouble it.
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}

	start := time.Now()

	report, err := u.breaker.Allow()
	if err != nil {
		observer.ObserveCall(u.name, rpc, codes.Unavailable, time.Since(start))

		return nil, err
	}

	return &call{
		upstream: u.name, rpc: rpc, start: start, hurried: hurried(ctx, rec, start), observer: observer, report: report,
	}, nil
}

// hurried tells whether the client left the backend less time than the route means it to have: by asking for an earlier deadline,
// or by sending its body so slowly that more time had passed than was left. Running into such a deadline is not the backend's
// fault; otherwise a client could open the breaker for everybody.
func hurried(ctx context.Context, rec *reqinfo.Record, start time.Time) bool {
	if rec.Impatient {
		return true
	}

	deadline, ok := ctx.Deadline()

	return ok && !rec.Start.IsZero() && start.Sub(rec.Start) > deadline.Sub(start)
}

// judge tells the breaker how the backend did. The first verdict counts: for a stream, its first answer.
func (c *call) judge(err error) {
	c.judged.Do(func() {
		if c.hurried && status.Code(err) == codes.DeadlineExceeded {
			err = breaker.ErrNoVerdict
		}

		c.report(err)
	})
}

// end notes the outcome of the whole call, once.
func (c *call) end(err error) {
	c.judge(err)
	c.ended.Do(func() { c.observer.ObserveCall(c.upstream, c.rpc, status.Code(err), time.Since(c.start)) })
}
