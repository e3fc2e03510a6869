package redisconn

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// State of the breaker.
type State int

// A closed breaker lets commands through, an open one refuses them, a half-open one lets one through to try.
const (
	StateClosed   = State(gobreaker.StateClosed)
	StateHalfOpen = State(gobreaker.StateHalfOpen)
	StateOpen     = State(gobreaker.StateOpen)
)

// String names the state: "closed", "half-open" or "open".
func (s State) String() string { return gobreaker.State(s).String() }

// When the breaker opens: after so many failures in a row, which a Redis that is gone causes within milliseconds under load, or at
// half of the commands within the window, which a slow one causes.
const (
	maxInRow      = 5
	minCounted    = 20
	failureRatio  = 0.5
	window        = 10 * time.Second
	windowBuckets = 10
)

// guard is a hook of the client. It gives commands their deadline, and asks the breaker first.
type guard struct {
	timeout time.Duration
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
}

func newGuard(timeout, openFor time.Duration, onChange []func(from, to State)) *guard {
	return &guard{timeout: timeout, breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "redis", MaxRequests: 1, Interval: window, BucketPeriod: window / windowBuckets, Timeout: openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			counted := c.TotalSuccesses + c.TotalFailures

			return c.ConsecutiveFailures >= maxInRow ||
				counted >= minCounted && float64(c.TotalFailures) >= failureRatio*float64(counted)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNoVerdict) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			for _, tell := range onChange {
				tell(State(from), State(to))
			}
		},
	})}
}

func (g *guard) state() State { return State(g.breaker.State()) }

// DialHook implements redis.Hook. Dialing is a part of the command that needs the connection.
func (g *guard) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (g *guard) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return g.call(ctx, func(ctx context.Context) error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook implements redis.Hook.
func (g *guard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := g.call(ctx, func(ctx context.Context) error { return next(ctx, cmds) })
		if errors.Is(err, ErrUnavailable) {
			for _, cmd := range cmds {
				if cmd.Err() == nil {
					cmd.SetErr(err)
				}
			}
		}

		return err
	}
}

// inCall marks contexts of calls. The handshake of a connection consists of commands as well, and is a part of the call that needs
// it.
type inCall struct{}

func (g *guard) call(ctx context.Context, next func(context.Context) error) error {
	if ctx.Value(inCall{}) != nil {
		return next(ctx)
	}

	done, err := g.breaker.Allow()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}

	bounded, cancel := context.WithTimeout(context.WithValue(ctx, inCall{}, true), g.timeout)
	defer cancel()

	finished := false

	// A panic must not leave the breaker waiting for its probe.
	defer func() {
		if !finished {
			done(errNoVerdict)
		}
	}()

	err = next(bounded)
	finished = true

	switch {
	case !failure(err):
		done(nil)

		return err
	case ctx.Err() != nil || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted):
		done(errNoVerdict)
	default:
		done(err)
	}

	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// errNoVerdict is for calls whose end says nothing about Redis, because the caller gave up or all connections stayed busy. The
// commands that keep them busy tell.
var errNoVerdict = errors.New("no verdict on redis")

// failure tells whether an error means that Redis could not serve. Whatever else it replies, it is there.
func failure(err error) bool {
	if err == nil || errors.Is(err, redis.Nil) {
		return false
	}

	if _, reply := errors.AsType[redis.Error](err); !reply {
		return true
	}

	for _, prefix := range []string{
		"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "NOREPLICAS", "BUSY ", "max number of clients",
	} {
		if redis.HasErrorPrefix(err, prefix) {
			return true
		}
	}

	return false
}

// redacted takes the URL, which may hold a password, from the error of its parsing.
func redacted(err error) error {
	if parse, ok := errors.AsType[*url.Error](err); ok {
		return parse.Err
	}

	return err
}
