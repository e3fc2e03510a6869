package balance

import (
	"context"
	"errors"
	"time"

	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// picker lets the child choose, and records how the call ends.
type picker struct {
	child   balancer.Picker
	wrapper *wrapper
}

func (p *picker) Pick(info balancer.PickInfo) (balancer.PickResult, error) {
	result, err := p.child.Pick(info)
	if err != nil {
		// No address can be used: the name may have others by now. gRPC asks only when connections are lost or cannot be made.
		if !errors.Is(err, balancer.ErrNoSubConnAvailable) {
			p.wrapper.ResolveNow(resolver.ResolveNowOptions{})
		}

		return result, err
	}

	sc, ok := result.SubConn.(*subConn)
	if !ok {
		return result, nil
	}

	start, conn, done := time.Now(), sc.conns.latest.Load(), result.Done

	result.SubConn = sc.SubConn
	result.Done = func(end balancer.DoneInfo) {
		if end.BytesSent {
			countAttempt(info.Ctx, end.Trailer)
		}

		late := status.Code(end.Err) == codes.DeadlineExceeded && clientDeadlineShorter(info.Ctx, start)
		p.wrapper.recordOutcome(sc.member, resultOf(end, late, conn))

		if done != nil {
			done(end)
		}
	}

	return result, nil
}

// outcome is what the end of a call means for the address.
type outcome int

const (
	notCounted outcome = iota
	healthy
	unhealthy
)

// resultOf counts, like the breaker, only UNAVAILABLE and DEADLINE_EXCEEDED as failures; every other reply of the backend is a
// success.
func resultOf(end balancer.DoneInfo, clientDeadlineShorter bool, conn *conn) outcome {
	switch status.Code(end.Err) {
	case codes.Canceled:
		return notCounted
	case codes.DeadlineExceeded:
		if clientDeadlineShorter {
			return notCounted
		}

		return unhealthy
	case codes.Unavailable:
		// The calls that are lost with a connection count as one: gRPC looks for a new connection anyway.
		if conn != nil && conn.lost.Load() && conn.counted.Swap(true) {
			return notCounted
		}

		return unhealthy
	default:
		// Without bytes, gRPC has ended the call before it was sent.
		if end.BytesReceived {
			return healthy
		}

		return notCounted
	}
}

// minBudget is the shortest time after which a timeout counts against a backend. Network and queues take some of it.
const minBudget = 100 * time.Millisecond

// clientDeadlineShorter reports whether a timeout says nothing about the address that was picked then: because there was hardly any
// time, or because of the client. Otherwise a client could have healthy addresses ejected.
func clientDeadlineShorter(ctx context.Context, picked time.Time) bool {
	deadline, ok := ctx.Deadline()
	return ok && deadline.Sub(picked) < minBudget || reqinfo.From(ctx).ClientDeadlineShorter(ctx, picked)
}

// recordOutcome counts the failures of a member.
func (w *wrapper) recordOutcome(m *member, o outcome) {
	switch o {
	case healthy:
		// Nearly always there is nothing to reset, and no contention between processors.
		if m.failures.Load() != 0 {
			m.failures.Store(0)
		}
	case unhealthy:
		if m.failures.Add(1) >= int64(w.group.settings.Ejection.Failures) {
			w.wake()
		}
	case notCounted:
	}
}
