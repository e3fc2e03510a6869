package upstream

import (
	"context"
	"errors"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	"github.com/portico-gateway/portico/bff/internal/upstream/concurrency"
)

// call is one call to a backend, from the consent of limiter and breakers to its end, with all the attempts that gRPC or a hedge
// makes of it. Its methods are safe for concurrent use.
type call struct {
	permit

	upstream  string
	rpc       string
	start     time.Time
	hurried   bool
	streaming bool
	// probing reports that a breaker wants to know about this one call, so that it is made once.
	probing  bool
	record   *reqinfo.Record
	observer Observer

	judged, ended sync.Once
}

// begin asks the limiter and the breakers and starts the clock. The method may be nil. The caller must call end on what it returns.
func (u *upstream) begin(ctx context.Context, observer Observer, rpc string, method *method, streaming bool) (*call, error) {
	rec := reqinfo.From(ctx)
	rec.AddUpstream(u.name)

	// What has no time left says nothing about the backend and need not trouble it.
	if err := ctx.Err(); err != nil {
		return nil, status.FromContextError(err).Err()
	}

	start := time.Now()

	permit, err := u.admit(rpc, method, rec.Priority, streaming, start)
	if err != nil {
		observer.ObserveCall(u.name, rpc, codes.Unavailable, time.Since(start))

		return nil, err
	}

	return &call{
		upstream: u.name, rpc: rpc, start: start, hurried: rec.Hurried(ctx, start), streaming: streaming,
		probing: !u.breaker.Closed() || !method.closed(), record: rec, observer: observer, permit: permit,
	}, nil
}

// permit is what a call holds while it is under way.
type permit struct {
	room concurrency.Permit
	// all tells the breaker of the upstream how the backend did, and own that of the method, if it has one.
	all, own func(error)
}

// admit asks the limiter, the breaker of the upstream and that of the method, in this order. When one refuses, those that were
// asked before get back what they gave: nothing was learned about the backend.
func (u *upstream) admit(rpc string, method *method, priority int, streaming bool, now time.Time) (p permit, err error) {
	room, ok := u.limiter.Acquire(rpc, priority, now)
	if !ok {
		return permit{}, overloaded(u.name)
	}

	ask := (*breaker.Breaker).Allow
	if streaming {
		ask = (*breaker.Breaker).AllowStream
	}

	all, err := ask(u.breaker)
	if err != nil {
		room.Drop()

		return permit{}, err
	}

	if method == nil || method.breaker == nil {
		return permit{room: room, all: all}, nil
	}

	own, err := ask(method.breaker)
	if err != nil {
		all(breaker.ErrNoVerdict)
		room.Drop()

		return permit{}, err
	}

	return permit{room: room, all: all, own: own}, nil
}

// judge tells the breakers how the backend did, and makes room for other calls. The first verdict counts: for a stream, its first
// answer.
func (c *call) judge(err error) {
	c.judged.Do(func() {
		if c.hurried && status.Code(err) == codes.DeadlineExceeded {
			err = breaker.ErrNoVerdict
		}

		if c.streaming || !measures(err) {
			c.room.Drop()
		} else {
			c.room.Answered()
		}

		if c.own != nil {
			c.own(err)
		}

		c.all(err)
	})
}

// measures reports whether a call that ended so shows what calls take: an answer does, or none at all within the time. A backend
// that is not there or turns calls away is fast, and has no time for more.
func measures(err error) bool {
	if err == nil {
		return true
	}

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
