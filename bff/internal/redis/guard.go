package redis

import (
	"context"
	"errors"
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
	// probe comes before the command that a half-open breaker lets through, which may be one that says little about the others. In
	// a Cluster it is for the node that has the key.
	probe func(ctx context.Context, key string) error
	// cluster is nil if Redis is not a Cluster.
	cluster *goredis.ClusterClient
	// idle returns how many connections wait for commands.
	idle func() int
}

func newGuard(client *Client, timeout time.Duration, observer Observer) *guard {
	g := &guard{timeout: timeout, health: newHealth(observer.Logger, client.openFor), observer: observer}
	g.cluster, _ = client.UniversalClient.(*goredis.ClusterClient)
	g.probe = newProbe(client)
	g.idle = func() int { return int(client.PoolStats().IdleConns) }

	// One of the nodes of a Cluster must not take the others with it.
	inRow := uint32(maxInRow)
	if g.cluster != nil {
		inRow = minCounted
	}

	g.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "redis", MaxRequests: 1, Interval: window, BucketPeriod: window / windowBuckets, Timeout: client.openFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			counted := c.TotalSuccesses + c.TotalFailures
			return c.ConsecutiveFailures >= inRow ||
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

		sent := cmd
		if g.cluster != nil {
			sent = once{cmd}
		}

		return g.call(ctx, firstKey(cmd), func(ctx context.Context) error {
			return g.writable(func() error { return next(ctx, sent) })
		})
	}
}

// ProcessPipelineHook implements redis.Hook.
func (g *guard) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		if h := handshakeOf(ctx); h != nil {
			err := next(ctx, cmds)
			if err != nil {
				h.failed.Store(true)
			}

			return err
		}

		sent, tried := cmds, false
		if g.cluster != nil {
			sent = onceEach(cmds)
		}

		err := g.call(ctx, firstKey(cmds[0]), func(ctx context.Context) error {
			tried = true
			return next(ctx, sent)
		})

		// In a Cluster some commands may have succeeded.
		for _, cmd := range cmds {
			reason, outage := reasonOf(cmd.Err())

			switch {
			case !tried:
				cmd.SetErr(err)
			case outage:
				cmd.SetErr(&outageError{reason, cmd.Err()})
			}
		}

		return err
	}
}

// writable calls next again while Redis replies that it is a replica and there may be connections from when it was not: each that
// gets the reply is closed, and a new one is to the primary.
func (g *guard) writable(next func() error) error {
	err := next()
	if g.cluster != nil || !isReadOnly(err) {
		return err
	}

	for range g.idle() + 1 {
		if err = next(); !isReadOnly(err) {
			break
		}
	}

	return err
}

// call runs a command, with those of the handshake of its connection and, if it has one, its probe. key is the first of the
// command.
func (g *guard) call(ctx context.Context, key string, next func(context.Context) error) error {
	done, err := g.breaker.Allow()
	if err != nil {
		return &outageError{ReasonRefused, err}
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

	err = g.attempt(bounded, key, next)
	finished = true

	reason, outage := reasonOf(err)
	if reason == ReasonError && shake.failed.Load() {
		reason, outage = ReasonHandshake, true
	}

	switch {
	case reason == "":
		done(nil)
		return err
	case reason == ReasonUnreachable &&
		(ctx.Err() != nil || errors.Is(err, goredis.ErrPoolTimeout) || errors.Is(err, goredis.ErrPoolExhausted)):
		done(errNotCounted)
		return &outageError{reason, err}
	}

	g.observer.Failure(reason)

	if !outage {
		done(nil)
		g.health.errorReply(err)

		return err
	}

	if reason == reasonFull {
		done(nil)
	} else {
		done(err)
	}

	g.failed(ctx, reason, err)

	return &outageError{reason, err}
}

// failed is called after a command for which Redis was not available.
func (g *guard) failed(ctx context.Context, reason string, err error) {
	// Another node may have the slots now, and this one does not say so.
	if g.cluster != nil {
		g.cluster.ReloadState(ctx)
	}

	// A single command without a reply is not worth a line.
	if reason != ReasonUnreachable || g.breaker.State() == StateOpen {
		g.health.failure(reason, err)
	}
}

func (g *guard) attempt(ctx context.Context, key string, next func(context.Context) error) error {
	if g.breaker.State() == StateHalfOpen {
		if err := g.probe(ctx, key); err != nil {
			return err
		}
	}

	return next(ctx)
}

// errNotCounted is for calls whose end says nothing about Redis, because the caller gave up or all connections stayed busy. The
// commands that keep them busy are counted.
var errNotCounted = errors.New("not counted for redis")
