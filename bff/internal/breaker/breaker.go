// Package breaker keeps the gateway from calling a backend that does not answer. It adds to a well-known breaker
// (github.com/sony/gobreaker) only what a gRPC gateway knows: which errors speak of the backend's health.
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
)

// ErrOpen is the cause of a call that was refused because the breaker is open or already probing.
var ErrOpen = errors.New("circuit breaker is open")

// ErrNoVerdict is what to report for a call whose end says nothing about the backend, such as a deadline that the client itself
// set. Otherwise a client could open the breaker for everybody by asking for answers within a microsecond.
var ErrNoVerdict = errors.New("no verdict on the backend")

// Settings say when a breaker opens and for how long.
type Settings struct {
	// FailureRatio of the calls in the window at which it opens, over 0 to 1.
	FailureRatio float64
	// MinRequests must have been made in the window before it can open.
	MinRequests uint32
	// Window is how far back calls count.
	Window time.Duration
	// OpenFor is how long it refuses everything before it lets a single probe through.
	OpenFor time.Duration
}

// State of a breaker.
type State int

// A closed breaker lets calls through, an open one refuses them, a half-open one lets one probe through at a time.
const (
	Closed   = State(gobreaker.StateClosed)
	HalfOpen = State(gobreaker.StateHalfOpen)
	Open     = State(gobreaker.StateOpen)
)

// String names the state: "closed", "half-open" or "open".
func (s State) String() string { return gobreaker.State(s).String() }

// Breaker guards one backend. It is safe for concurrent use.
type Breaker struct {
	name    string
	openFor time.Duration
	inner   *gobreaker.TwoStepCircuitBreaker[struct{}]
}

// windowBuckets cut the window, so that old calls leave it in steps.
const windowBuckets = 10

// New returns a closed breaker. onChange, if not nil, is told of each change of state; it must not block or call the breaker.
func New(name string, s Settings, onChange func(name string, from, to State)) *Breaker {
	settings := gobreaker.Settings{
		Name:         name,
		MaxRequests:  1,
		Interval:     s.Window,
		BucketPeriod: s.Window / windowBuckets,
		Timeout:      s.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			counted := c.TotalSuccesses + c.TotalFailures

			return counted >= s.MinRequests && float64(c.TotalFailures) >= s.FailureRatio*float64(counted)
		},
		IsSuccessful: func(err error) bool { return !errors.Is(err, errUnhealthy) },
		IsExcluded:   func(err error) bool { return errors.Is(err, ErrNoVerdict) },
	}

	if onChange != nil {
		settings.OnStateChange = func(name string, from, to gobreaker.State) { onChange(name, State(from), State(to)) }
	}

	return &Breaker{name: name, openFor: s.OpenFor, inner: gobreaker.NewTwoStepCircuitBreaker[struct{}](settings)}
}

// State of the breaker now.
func (b *Breaker) State() State { return State(b.inner.State()) }

// Allow asks whether a call may be made. If so, done must be called with the call's error (or ErrNoVerdict), once and in any case;
// otherwise the error is an UNAVAILABLE status that wraps ErrOpen and says when to try again (google.rpc.RetryInfo).
func (b *Breaker) Allow() (done func(err error), err error) {
	report, err := b.inner.Allow()
	if err != nil {
		return nil, b.refusal()
	}

	return func(err error) { report(verdict(err)) }, nil
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

var errUnhealthy = errors.New("the backend did not answer")

// verdict is what a call's outcome says about the backend: nil for healthy, errUnhealthy, or ErrNoVerdict. Only unavailability and
// timeouts are the backend's fault; every other code is an answer.
func verdict(err error) error {
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
