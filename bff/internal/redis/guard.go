package redis

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// State of the breaker. Its String is "closed", "half-open" or "open".
type State = gobreaker.State

// A closed breaker lets commands through, an open one refuses them, a half-open one lets one through to try.
const (
	StateClosed   = gobreaker.StateClosed
	StateHalfOpen = gobreaker.StateHalfOpen
	StateOpen     = gobreaker.StateOpen
)

// The breaker opens after maxInRow failures in a row, which a Redis that is down causes within milliseconds under load, or when
// half of the commands within the window fail, which a slow one causes.
const (
	maxInRow      = 5
	minCounted    = 20
	failureRatio  = 0.5
	window        = 10 * time.Second
	windowBuckets = 10
)

// guard is a hook of the client. It gives commands their deadline, after the breaker has let them through.
type guard struct {
	timeout  time.Duration
	breaker  *gobreaker.TwoStepCircuitBreaker[struct{}]
	health   *health
	observer Observer
	// probe comes before the command that a half-open breaker lets through, which may be one that says little about the others.
	probe func(context.Context) error
}

func newGuard(timeout, openFor time.Duration, observer Observer) *guard {
	g := &guard{timeout: timeout, health: newHealth(observer.Logger, openFor), observer: observer}
	g.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "redis", MaxRequests: 1, Interval: window, BucketPeriod: window / windowBuckets, Timeout: openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			counted := c.TotalSuccesses + c.TotalFailures
			return c.ConsecutiveFailures >= maxInRow ||
				counted >= minCounted && float64(c.TotalFailures) >= failureRatio*float64(counted)
		},
		IsExcluded:    func(err error) bool { return errors.Is(err, errNotCounted) },
		OnStateChange: func(_ string, _, to State) { observer.State(to) },
	})

	return g
}

// DialHook implements redis.Hook. Dialing is a part of the command that needs the connection.
func (g *guard) DialHook(next goredis.DialHook) goredis.DialHook { return next }

// ProcessHook implements redis.Hook.
func (g *guard) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		if h := handshakeOf(ctx); h != nil {
			err := next(ctx, cmd)
			h.done(cmd, err)

			return err
		}

		return g.call(ctx, func(ctx context.Context) error { return next(ctx, cmd) })
	}
}

// ProcessPipelineHook implements redis.Hook.
func (g *guard) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if h := handshakeOf(ctx); h != nil {
			err := next(ctx, cmds)
			h.failed = h.failed || err != nil

			return err
		}

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

// call runs a command, with those of the handshake of its connection and, if it has one, its probe.
func (g *guard) call(ctx context.Context, next func(context.Context) error) error {
	done, err := g.breaker.Allow()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}

	bounded, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()

	bounded, shake := withHandshake(bounded)
	finished := false

	// A panic must not leave the breaker waiting for its probe.
	defer func() {
		if !finished {
			done(errNotCounted)
		}
	}()

	err = g.attempt(bounded, next)
	finished = true

	reason, outage := reasonOf(err)
	if reason == ReasonError && shake.failed {
		reason, outage = ReasonHandshake, true
	}

	switch {
	case reason == "":
		done(nil)
		return err
	case reason == ReasonUnreachable &&
		(ctx.Err() != nil || errors.Is(err, goredis.ErrPoolTimeout) || errors.Is(err, goredis.ErrPoolExhausted)):
		done(errNotCounted)
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}

	g.observer.Failure(reason)

	if !outage {
		done(nil)
		g.health.errorReply(err)

		return err
	}

	done(err)

	// A single command without a reply is not worth a line.
	if reason != ReasonUnreachable || g.breaker.State() == StateOpen {
		g.health.failure(reason, err)
	}

	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

func (g *guard) attempt(ctx context.Context, next func(context.Context) error) error {
	if g.breaker.State() == StateHalfOpen {
		if err := g.probe(ctx); err != nil {
			return err
		}
	}

	return next(ctx)
}

// errNotCounted is for calls whose end says nothing about Redis, because the caller gave up or all connections stayed busy. The
// commands that keep them busy are counted.
var errNotCounted = errors.New("not counted for redis")

// redacted removes the URL, which may have a password, from the error of its parsing.
func redacted(err error) error {
	if parse, ok := errors.AsType[*url.Error](err); ok {
		return parse.Err
	}

	return err
}
