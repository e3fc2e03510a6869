// Package breaker keeps the gateway from calling a backend that does not answer, or not in time. It adds to a well-known breaker
// (github.com/sony/gobreaker) only what a gRPC gateway knows: which errors speak of the backend's health, and what slowness says.
package breaker

import (
	"errors"
	"fmt"
	"time"

	"github.com/sony/gobreaker/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
)

// ErrOpen is the cause of a call that was refused because the breaker is open or already probing.
var ErrOpen = errors.New("circuit breaker is open")

// ErrNoVerdict is what to report for a call whose end says nothing about the backend, such as a deadline that the client itself
// set. Otherwise a client could open the breaker for everybody by asking for answers within a microsecond.
var ErrNoVerdict = errors.New("no verdict on the backend")

// State of a breaker.
type State int

// A closed breaker lets calls through, an open one refuses them, a half-open one lets its probes through and no other.
const (
	Closed   = State(gobreaker.StateClosed)
	HalfOpen = State(gobreaker.StateHalfOpen)
	Open     = State(gobreaker.StateOpen)
)

// String names the state: "closed", "half-open" or "open".
func (s State) String() string { return gobreaker.State(s).String() }

// Breaker guards one backend. It is safe for concurrent use.
type Breaker struct {
	name      string
	openFor   time.Duration
	slowAfter time.Duration
	changes   *changes
	failures  *counter
	// slowness counts the same calls by the time that they take. Nil: none is slow.
	slowness *counter
}

// counter is a breaker over one property of calls.
type counter = gobreaker.TwoStepCircuitBreaker[struct{}]

// windowBuckets cut the window, so that old calls leave it in steps.
const windowBuckets = 10

// New returns a closed breaker. onChange, if not nil, is told of each change of state; it must not block or call the breaker.
func New(name string, cfg config.Breaker, onChange func(name string, from, to State)) *Breaker {
	changes := &changes{name: name, told: onChange}
	b := &Breaker{
		name: name, openFor: cfg.OpenFor, slowAfter: cfg.SlowAfter, changes: changes,
		failures: newCounter(cfg, cfg.FailureRatio, verdict, changes.of(0)),
	}

	if cfg.SlowAfter > 0 {
		b.slowness = newCounter(cfg, cfg.SlowRatio, given, changes.of(1))
	}

	return b
}

// newCounter returns a breaker of results that classify maps: nil is a success, ErrNoVerdict does not count.
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
		IsExcluded:    func(err error) bool { return errors.Is(classify(err), ErrNoVerdict) },
		OnStateChange: func(_ string, _, to gobreaker.State) { onChange(State(to)) },
	})
}

// State of the breaker now.
func (b *Breaker) State() State {
	state := State(b.failures.State())
	if b.slowness != nil {
		state = max(state, State(b.slowness.State()))
	}

	return state
}

// Closed reports whether it is closed. Other than State, it does not find out that an open one may probe again, and costs nothing.
func (b *Breaker) Closed() bool { return b.changes.closed() }

// Allow asks whether a call may be made. If so, done must be called with the call's error (or ErrNoVerdict), once and in any case;
// otherwise the error is an UNAVAILABLE status that wraps ErrOpen and says when to try again (google.rpc.RetryInfo). The time
// between the two is what the call took.
func (b *Breaker) Allow() (done func(err error), err error) {
	failed, err := b.failures.Allow()
	if err != nil {
		return nil, b.refusal()
	}

	if b.slowness == nil {
		return failed, nil
	}

	slow, err := b.slowness.Allow()
	if err != nil {
		failed(ErrNoVerdict)

		return nil, b.refusal()
	}

	start := time.Now()

	return func(err error) {
		failed(err)
		slow(b.pace(time.Since(start), verdict(err)))
	}, nil
}

// AllowStream is Allow for a call whose time says nothing about the backend, because it answers when there is something to say.
func (b *Breaker) AllowStream() (done func(err error), err error) {
	failed, err := b.failures.Allow()
	if err != nil {
		return nil, b.refusal()
	}

	if b.slowness != nil {
		slow, err := b.slowness.Allow()
		if err != nil {
			failed(ErrNoVerdict)

			return nil, b.refusal()
		}

		slow(ErrNoVerdict)
	}

	return failed, nil
}

type refusal struct{ *status.Status }

func (r refusal) Error() string              { return r.Message() }
func (r refusal) GRPCStatus() *status.Status { return r.Status }
func (r refusal) Unwrap() error              { return ErrOpen }

func (b *Breaker) refusal() error {
	st := status.New(codes.Unavailable, fmt.Sprintf("%s: %s", b.name, ErrOpen))
	if detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(b.openFor)}); err == nil {
		st = detailed
	}

	return refusal{st}
}

var (
	errUnhealthy = errors.New("the backend did not answer")
	errSlow      = errors.New("the backend was slow")
)

// verdict is what a call's outcome says about the backend: nil for healthy, errUnhealthy, or ErrNoVerdict. Only unavailability and
// timeouts are the backend's fault; every other code is an answer.
func verdict(err error) error {
	if err == nil {
		return nil
	}

	if errors.Is(err, ErrNoVerdict) {
		return err
	}

	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return errUnhealthy
	case codes.Canceled:
		return ErrNoVerdict
	default:
		return nil
	}
}

// given is a verdict already.
func given(verdict error) error { return verdict }

// pace is what a call's time says about the backend: nil for fast, errSlow, or ErrNoVerdict. What ended without an answer might
// have been slow; it was, if it had taken too long already.
func (b *Breaker) pace(took time.Duration, health error) error {
	switch {
	case took > b.slowAfter:
		return errSlow
	case health != nil:
		return ErrNoVerdict
	default:
		return nil
	}
}
