// Package breaker keeps the gateway from calling a backend that does not reply, or not in time. It adds to a well-known breaker
// (github.com/sony/gobreaker) only what a gRPC gateway knows: which errors and which times count against a backend.
package breaker

import (
	"errors"
	"fmt"
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
	settings config.Breaker
	refusal  error
	combined *combinedState
	mode     atomic.Pointer[mode]
}

// mode is how a breaker decides: by its counters, or as an operator says.
type mode struct {
	failures *counter
	// slowness counts the same calls by the time that they take. Nil: none is slow.
	slowness *counter
	// forced reports that the state is held, without counters.
	forced bool
	held   State
}

// counter is a breaker over one property of calls.
type counter = gobreaker.TwoStepCircuitBreaker[struct{}]

// windowBuckets cut the window, so that old calls leave it in steps.
const windowBuckets = 10

// New returns a closed breaker. onChange, if not nil, is called for each change of state; it must not block or call the breaker.
func New(name string, cfg config.Breaker, onChange func(from, to State)) *Breaker {
	b := &Breaker{
		settings: cfg, combined: &combinedState{onChange: onChange},
		refusal: problem.Refusal(fmt.Errorf("%s: %w", name, ErrOpen), reqinfo.ReasonBreaker, cfg.OpenFor),
	}
	b.mode.Store(b.counting(0))

	return b
}

// counting is the mode of a breaker that has counted nothing yet. The epoch is that of its state.
func (b *Breaker) counting(epoch int) *mode {
	cfg := b.settings
	m := &mode{failures: newCounter(cfg, cfg.FailureRatio, health, b.combined.update(0, epoch))}

	if cfg.SlowAfter > 0 {
		classified := func(err error) error { return err }
		m.slowness = newCounter(cfg, cfg.SlowRatio, classified, b.combined.update(1, epoch))
	}

	return m
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
	m := b.mode.Load()

	switch {
	case m.forced:
		return m.held
	case m.slowness == nil:
		return m.failures.State()
	default:
		return max(m.failures.State(), m.slowness.State())
	}
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
	m := b.mode.Load()
	if m.forced {
		return b.allowForced(m.held)
	}

	failed, err := m.failures.Allow()
	if err != nil {
		return nil, b.refusal
	}

	if m.slowness == nil {
		return failed, nil
	}

	slow, err := m.slowness.Allow()
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
	case took > b.settings.SlowAfter:
		return errSlow
	case health != nil:
		return ErrNotCounted
	default:
		return nil
	}
}
