package upstream

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/tracing"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	"github.com/portico-gateway/portico/bff/internal/upstream/concurrency"
)

// call is one call to a backend, from its admission to its end, with all the attempts of gRPC, a hedge and a retrier. Its methods
// are safe for concurrent use.
type call struct {
	permits

	upstream              string
	rpc                   string
	start                 time.Time
	clientDeadlineShorter bool
	streaming             bool
	// isProbe reports that a breaker waits for the result of this call, so that it is made once.
	isProbe  bool
	record   *reqinfo.Record
	observer Observer
	delay    func(since time.Time) time.Duration
	// inFlight is that of the upstream.
	inFlight *atomic.Int64
	// siblingRetries counts the retries of the siblings of a hedged call, and hedge is what became of the second.
	siblingRetries atomic.Int32
	hedge          Hedge

	// request, conn and next are those of a call with a single reply; see send.
	request any
	conn    *grpc.ClientConn
	next    grpc.UnaryInvoker
	// attempts counts those of the call, or those of the siblings of a hedged one.
	attempts balance.Attempts

	// header is that of the reply, if the caller has not asked for it itself, and room is for its call options.
	header metadata.MD
	room   [4]grpc.CallOption

	recorded, ended sync.Once

	// span is that of the call, with all its attempts. Nil: there is none.
	span *tracing.Span
	// messages are how many there were in a stream.
	messages struct{ sent, received atomic.Int64 }
}

// options returns the caller's options, with one that gets the header of the reply, and where the header is when the call has
// ended: nil if there was none.
func (c *call) options(callers []grpc.CallOption) ([]grpc.CallOption, *metadata.MD) {
	if header := headerOf(callers); header != nil {
		return callers, header
	}

	return append(append(c.room[:0], callers...), grpc.Header(&c.header)), &c.header
}

// send makes one call through gRPC, with gRPC's retries. It is the last layer of a call with a single reply.
func (c *call) send(ctx context.Context, reply any, opts []grpc.CallOption) error {
	return c.next(ctx, c.rpc, c.request, reply, c.conn, opts...)
}

// begin admits a call. The method may be nil. The caller must call end on the result.
func (u *upstream) begin(ctx context.Context, observer Observer, rpc string, method *method, streaming bool) (*call, error) {
	rec := reqinfo.From(ctx)
	rec.AddUpstream(u.name)

	// A call without time left says nothing about the backend.
	if err := ctx.Err(); err != nil {
		u.refused(observer, rpc, err)
		return nil, status.FromContextError(err).Err()
	}

	start := time.Now()

	held, err := u.admit(rpc, method, rec.Priority, streaming, start)
	if err != nil {
		u.refused(observer, rpc, err)
		observer.ObserveCall(CallResult{
			Upstream: u.name, RPC: rpc, Code: codes.Unavailable, Took: time.Since(start), TraceID: rec.Exemplar(),
		})

		return nil, err
	}

	u.inFlight.Add(1)

	return &call{
		upstream: u.name, rpc: rpc, start: start, streaming: streaming,
		clientDeadlineShorter: rec.ClientDeadlineShorter(ctx, start),
		isProbe:               !u.breaker.Closed() || !method.closed(), record: rec, observer: observer, permits: held,
		delay: u.delay, inFlight: &u.inFlight,
	}, nil
}

// permits are what a call holds while it is in flight.
type permits struct {
	limiter concurrency.Permit
	// breaker and methodBreaker report the result to the breakers of the upstream and of the method. The second may be nil.
	breaker, methodBreaker func(error)
}

// admit asks the limiter, the breaker of the upstream and that of the method, in this order. When one refuses, the permits of the
// others are returned: the call says nothing about the backend.
func (u *upstream) admit(rpc string, method *method, priority int, streaming bool, now time.Time) (p permits, err error) {
	limiter, ok := u.limiter.Acquire(rpc, priority, now)
	if !ok {
		return permits{}, u.overloaded
	}

	allow := (*breaker.Breaker).Allow
	if streaming {
		allow = (*breaker.Breaker).AllowStream
	}

	record, err := allow(u.breaker)
	if err != nil {
		limiter.Drop()
		return permits{}, err
	}

	if method == nil || method.breaker == nil {
		return permits{limiter: limiter, breaker: record}, nil
	}

	recordMethod, err := allow(method.breaker)
	if err != nil {
		record(breaker.ErrNotCounted)
		limiter.Drop()

		return permits{}, err
	}

	return permits{limiter: limiter, breaker: record, methodBreaker: recordMethod}, nil
}

// recordResult reports the result to the breakers, and releases the permit. The first result counts: for a stream, its first reply.
func (c *call) recordResult(err error) {
	c.recorded.Do(func() {
		if c.clientDeadlineShorter && status.Code(err) == codes.DeadlineExceeded {
			err = breaker.ErrNotCounted
		}

		delay := c.ownDelay()

		if c.streaming || !countsForLatency(err) || delay > latencyShare {
			c.limiter.Drop()
		} else {
			c.limiter.Done()
		}

		if delay > timeoutShare {
			err = breaker.Late(err)
		}

		if c.methodBreaker != nil {
			c.methodBreaker(err)
		}

		c.breaker(err)
	})
}

// A call waits several times for a CPU of the gateway: to be sent, for its reply to be read, to go on with it. Only the longest
// wait is known. If it is a quarter of the time of the call, all together may be most of it, and that time says more about the
// gateway than about the backend. The bound for timeouts is lower, since a breaker that opens does more harm than a limit that
// changes.
const (
	latencyShare = 1. / 4
	timeoutShare = 1. / 8
)

// ownDelay is the longest of these waits, as a share of the time of the call.
func (c *call) ownDelay() float64 {
	if c.delay == nil {
		return 0
	}

	if wait := c.delay(c.start); wait > 0 {
		return float64(wait) / float64(max(time.Since(c.start), 1))
	}

	return 0
}

// countsForLatency reports whether a call with this result shows how long calls take: a reply does, or a timeout. A backend that is
// down or refuses calls is fast, although it cannot handle more.
func countsForLatency(err error) bool {
	if err == nil {
		return true
	}

	if errors.Is(err, breaker.ErrNotCounted) {
		return false
	}

	switch status.Code(err) {
	case codes.Canceled, codes.Unavailable, codes.ResourceExhausted:
		return false
	default:
		return true
	}
}

func (c *call) end(err error) {
	c.recordResult(err)
	c.ended.Do(func() {
		c.endSpan(err)

		took := time.Since(c.start)

		code := status.Code(err)
		attempts, address := c.attempts.Made()

		c.record.AddCall(reqinfo.Call{
			Upstream: c.upstream, RPC: c.rpc, Start: c.start, Took: took, Code: code, Attempts: attempts, Address: address,
		})
		c.observer.ObserveCall(CallResult{
			Upstream: c.upstream, RPC: c.rpc, Code: code, Took: took,
			Retries: retries(&c.attempts) + int(c.siblingRetries.Load()), Hedge: c.hedge, TraceID: c.record.Exemplar(),
		})
		c.inFlight.Add(-1)
	})
}

// retries is how many attempts were sent after the first.
func retries(attempts *balance.Attempts) int { return max(attempts.Ended()-1, 0) }
