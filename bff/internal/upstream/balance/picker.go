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

	attempts := attemptsOf(info.Ctx)
	if attempts != nil {
		sc, result.Done = p.preferUntried(attempts.addresses(), sc, result.Done)
		attempts.addresses().choose(sc.member)
	}

	start, conn, done := time.Now(), sc.conns.latest.Load(), result.Done

	result.SubConn = sc.SubConn
	result.Done = func(end balancer.DoneInfo) {
		switch {
		case end.BytesSent:
			attempts.count(end.Trailer)
		case end.Err == nil:
			attempts.retract()
		}

		late := status.Code(end.Err) == codes.DeadlineExceeded && clientDeadlineShorter(info.Ctx, start)
		p.wrapper.recordOutcome(sc.member, resultOf(end, late, conn))

		if done != nil {
			done(end)
		}
	}

	if p.wrapper.group.settings.Traced {
		result = traced(info, sc.member, result)
	}

	return result, nil
}

// preferUntried returns the child's choice, or another one if the call was tried there before and can go elsewhere.
func (p *picker) preferUntried(t *tried, sc *subConn, done func(balancer.DoneInfo)) (*subConn, func(balancer.DoneInfo)) {
	if t.add(sc.member) {
		return sc, done
	}

	other := p.wrapper.untried(t)
	if other == nil {
		return sc, done
	}

	// As gRPC does with a choice that it does not use.
	if done != nil {
		done(balancer.DoneInfo{})
	}

	t.add(other.member)

	return other, nil
}

// outcome is what the end of a call means for the address.
type outcome int

const (
	notCounted outcome = iota
	healthy
	unhealthy
	// failing is a reply that tells of a fault or a limit of the backend. It counts only in comparison with other addresses.
	failing
)

// resultOf counts, like the breaker, only UNAVAILABLE and DEADLINE_EXCEEDED as failures. Every other reply shows that the backend
// works, unless it blames the backend and comes from one address only.
func resultOf(end balancer.DoneInfo, clientDeadlineShorter bool, conn *conn) outcome {
	switch code := status.Code(end.Err); code {
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
		switch {
		case !end.BytesReceived:
			return notCounted
		case serverFault(code):
			return failing
		default:
			return healthy
		}
	}
}

// serverFault reports whether the code blames the backend: those for which HTTP has a status of 5xx, and RESOURCE_EXHAUSTED, but
// not UNIMPLEMENTED, which follows from the method that a client calls.
func serverFault(code codes.Code) bool {
	switch code {
	case codes.ResourceExhausted, codes.Internal, codes.Unknown, codes.DataLoss:
		return true
	default:
		return false
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
	if o == notCounted {
		return
	}

	m.errors.add(o != healthy)

	if o == unhealthy {
		if m.failures.Add(1) >= int64(w.group.settings.Ejection.Failures) {
			w.wake()
		}

		return
	}

	// Nearly always there is nothing to reset, and no contention between processors.
	if m.failures.Load() != 0 {
		m.failures.Store(0)
	}

	if o == failing && m.errors.high() {
		w.reviewOutliers()
	}
}
