package upstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/breaker"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/concurrency"
)

// call is one call to a backend, from the consent of limiter and breakers to its end, with all the attempts that gRPC or a hedge
// makes of it. Its methods are safe for concurrent use.
type call struct {
	upstream  string
	rpc       string
	start     time.Time
	hurried   bool
	streaming bool
	// probing tells that a breaker wants to know about this one call, so that it is made once.
	probing  bool
	record   *reqinfo.Record
	observer Observer
	permit   concurrency.Permit
	report   func(error)

	judged, ended sync.Once
}

// begin asks the limiter and the breakers and starts the clock. The caller must call end on what it returns.
func (u *upstream) begin(ctx context.Context, observer Observer, rpc string, streaming bool) (*call, error) {
	rec := reqinfo.From(ctx)
	rec.AddUpstream(u.name)

	// What has no time left says nothing about the backend and need not trouble it.
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}

	start := time.Now()

	permit, report, err := u.admit(rpc, rec.Priority, streaming)
	if err != nil {
		observer.ObserveCall(u.name, rpc, codes.Unavailable, time.Since(start))

		return nil, err
	}

	return &call{
		upstream: u.name, rpc: rpc, start: start, hurried: rec.Hurried(ctx, start), streaming: streaming, probing: u.probing(rpc),
		record: rec, observer: observer, permit: permit, report: report,
	}, nil
}

// admit asks the limiter, the breaker of the upstream and that of the method, in this order. When one refuses, those that were
// asked before get back what they gave: nothing was learned about the backend.
func (u *upstream) admit(rpc string, priority int, streaming bool) (concurrency.Permit, func(error), error) {
	permit, ok := u.limiter.Acquire(rpc, priority)
	if !ok {
		return concurrency.Permit{}, nil, overloaded(u.name)
	}

	ask := (*breaker.Breaker).Allow
	if streaming {
		ask = (*breaker.Breaker).AllowStream
	}

	all, err := ask(u.breaker)
	if err != nil {
		permit.Drop()

		return concurrency.Permit{}, nil, err
	}

	method := u.methods[rpc]
	if method == nil || method.breaker == nil {
		return permit, all, nil
	}

	own, err := ask(method.breaker)
	if err != nil {
		all(breaker.ErrNoVerdict)
		permit.Drop()

		return concurrency.Permit{}, nil, err
	}

	return permit, func(err error) {
		own(err)
		all(err)
	}, nil
}

// probing tells whether a breaker that a call of the method passes is not closed.
func (u *upstream) probing(rpc string) bool {
	method := u.methods[rpc]

	return u.breaker.State() != breaker.Closed || method != nil && method.breaker != nil && method.breaker.State() != breaker.Closed
}

// judge tells the breakers how the backend did, and makes room for other calls. The first verdict counts: for a stream, its first
// answer.
func (c *call) judge(err error) {
	c.judged.Do(func() {
		if c.hurried && status.Code(err) == codes.DeadlineExceeded {
			err = breaker.ErrNoVerdict
		}

		if c.streaming || !measures(err) {
			c.permit.Drop()
		} else {
			c.permit.Answered()
		}

		c.report(err)
	})
}

// measures tells whether a call that ended so shows what calls take: an answer does, or none at all within the time. A backend that
// is not there or turns calls away is fast, and has no time for more.
func measures(err error) bool {
	if errors.Is(err, breaker.ErrNoVerdict) {
		return false
	}

	switch status.Code(err) {
	case codes.Canceled, codes.Unavailable, codes.ResourceExhausted:
		return false
	default:
		return true
	}
}

// end notes the outcome of the whole call, once.
func (c *call) end(err error) {
	c.judge(err)
	c.ended.Do(func() {
		took := time.Since(c.start)

		c.record.AddCall(reqinfo.Call{Upstream: c.upstream, RPC: c.rpc, Took: took})
		c.observer.ObserveCall(c.upstream, c.rpc, status.Code(err), took)
	})
}
