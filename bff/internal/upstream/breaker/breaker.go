// Package breaker keeps the gateway from calling a backend that does not reply, or not in time. It adds to a well-known breaker
// (github.com/sony/gobreaker) only what a gRPC gateway knows: which errors and which times count against a backend.
package breaker

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// ErrOpen is the cause of a call that was refused because the breaker is open or already probing.
var ErrOpen = errors.New("circuit breaker is open")

// ErrNotCounted is what to report for a call whose end says nothing about the backend, such as a deadline that the client itself
// set. Otherwise a client could open the breaker for everybody by asking for replies within a microsecond.
var ErrNotCounted = errors.New("not counted for the backend")

// Late marks the result of a call that the gateway itself has delayed: how long it took, or that it timed out, says nothing about
// the backend. The error may be nil.
func Late(err error) error { return &lateError{err} }

type lateError struct{ err error }

// Error implements error.
func (e *lateError) Error() string { return fmt.Sprintf("delayed by the gateway: %v", e.err) }

// Unwrap returns the error of the call.
func (e *lateError) Unwrap() error { return e.err }

func isLate(err error) bool {
	var late *lateError
	return errors.As(err, &late)
}

// State of a breaker. Its String is "closed", "half-open" or "open".
type State = gobreaker.State

// A closed breaker lets calls through, an open one refuses them, a half-open one lets only its probes through.
const (
	Closed   = gobreaker.StateClosed
	HalfOpen = gobreaker.StateHalfOpen
	Open     = gobreaker.StateOpen
)

// Breaker guards one backend. It is safe for concurrent use.
type Breaker struct {
	slowAfter time.Duration
	refusal   error
	combined  *combinedState
	failures  *counter
	// slowness counts the same calls by the time that they take. Nil: none is slow.
	slowness *counter
}

// counter is a breaker over one property of calls.
type counter = gobreaker.TwoStepCircuitBreaker[struct{}]

// windowBuckets cut the window, so that old calls leave it in steps.
const windowBuckets = 10

// New returns a closed breaker. onChange, if not nil, is called for each change of state; it must not block or call the breaker.
func New(name string, cfg config.Breaker, onChange func(from, to State)) *Breaker {
	combined := &combinedState{onChange: onChange}
	b := &Breaker{
		slowAfter: cfg.SlowAfter, combined: combined,
		refusal:  problem.Refusal(fmt.Errorf("%s: %w", name, ErrOpen), reqinfo.ReasonBreaker, cfg.OpenFor),
		failures: newCounter(cfg, cfg.FailureRatio, health, combined.update(0)),
	}

	if cfg.SlowAfter > 0 {
		classified := func(err error) error { return err }
		b.slowness = newCounter(cfg, cfg.SlowRatio, classified, combined.update(1))
	}

	return b
}

// newCounter returns a breaker of results that classify maps: nil is a success, ErrNotCounted does not count.
func newCounter(cfg config.Breaker, ratio float64, classify func(error) error, onChange func(to State)) *counter {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  cfg.Probes,
		Interval:     cfg.Window,
		BucketPeriod: cfg.Window / windowBuckets,
		Timeout:      cfg.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			counted := c.TotalSuccesses + c.TotalFailures
			return counted >= cfg.MinRequests && float64(c.TotalFailures) >= ratio*float64(counted)
		},
		IsSuccessful:  func(err error) bool { return classify(err) == nil },
		IsExcluded:    func(err error) bool { return errors.Is(classify(err), ErrNotCounted) },
		OnStateChange: func(_ string, _, to State) { onChange(to) },
	})
}

// State of the breaker now.
func (b *Breaker) State() State {
	if b.slowness == nil {
		return b.failures.State()
	}

	return max(b.failures.State(), b.slowness.State())
}

// Closed reports whether it is closed. Unlike State, it does not find out that an open one may probe again, and costs nothing.
func (b *Breaker) Closed() bool { return !b.combined.open.Load() }

// Allow asks whether a call may be made. If so, done must be called with the call's error (or ErrNotCounted), once and in any case;
// otherwise the error is an UNAVAILABLE status that wraps ErrOpen and says when to try again (google.rpc.RetryInfo). The time
// between the two is what the call took.
func (b *Breaker) Allow() (done func(err error), err error) { return b.allow(true) }

// AllowStream is Allow for a call whose time says nothing about the backend, because it replies when there is something to say.
func (b *Breaker) AllowStream() (done func(err error), err error) { return b.allow(false) }

func (b *Breaker) allow(timed bool) (done func(err error), err error) {
	failed, err := b.failures.Allow()
	if err != nil {
		return nil, b.refusal
	}

	if b.slowness == nil {
		return failed, nil
	}

	slow, err := b.slowness.Allow()
	if err != nil {
		failed(ErrNotCounted)
		return nil, b.refusal
	}

	if !timed {
		slow(ErrNotCounted)
		return failed, nil
	}

	start := time.Now()

	return func(err error) {
		failed(err)

		if isLate(err) {
			slow(ErrNotCounted)
			return
		}

		slow(b.speed(time.Since(start), health(err)))
	}, nil
}

var (
	errUnhealthy = errors.New("the backend did not reply")
	errSlow      = errors.New("the backend was slow")
)

// health is what a call's outcome says about the backend: nil for healthy, errUnhealthy, or ErrNotCounted. Only unavailability and
// timeouts are the backend's fault; with every other code it has replied.
func health(err error) error {
	if err == nil {
		return nil
	}

	if errors.Is(err, ErrNotCounted) {
		return err
	}

	if late := (*lateError)(nil); errors.As(err, &late) {
		if status.Code(late.err) == codes.DeadlineExceeded {
			return ErrNotCounted
		}

		return health(late.err)
	}

	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return errUnhealthy
	case codes.Canceled:
		return ErrNotCounted
	default:
		return nil
	}
}

// speed is what a call's time says about the backend: nil for fast, errSlow, or ErrNotCounted. A call that ended without a reply
// might have been slow; it was, if it had taken too long already.
func (b *Breaker) speed(took time.Duration, health error) error {
	switch {
	case took > b.slowAfter:
		return errSlow
	case health != nil:
		return ErrNotCounted
	default:
		return nil
	}
}

// combinedState makes one state of those of two counters: the worse of them.
type combinedState struct {
	onChange func(from, to State)

	mu     sync.Mutex
	states [2]State
	// open reports that it is not closed.
	open atomic.Bool
}

// update returns the function to call when one of the counters changes.
func (c *combinedState) update(counter int) func(to State) {
	return func(to State) {
		c.mu.Lock()
		defer c.mu.Unlock()

		from := max(c.states[0], c.states[1])
		c.states[counter] = to

		now := max(c.states[0], c.states[1])
		c.open.Store(now != Closed)

		if now != from && c.onChange != nil {
			c.onChange(from, now)
		}
	}
}
