package upstream

import (
	"context"
	"slices"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/resource"
	"github.com/portico-gateway/portico/bff/internal/schema"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

type method struct {
	retry *policy.Retry
	// breaker is nil if there is none.
	breaker *breaker.Breaker
	// hedge is nil if calls are not hedged.
	hedge *hedge
	// retrier is nil if calls are not retried, or a control plane decides that.
	retrier *retrier
	// budget is for hedge and retrier, and shared by the methods of an upstream.
	budget *budget
}

func newMethods(own *resource.Lease, upstream string, cfg Config, deps Deps) map[string]*method {
	methods := make(map[string]*method, len(cfg.Methods))
	budget := newBudget(ownShare(cfg), retriesAtOnce)

	for rpc, rules := range cfg.Methods {
		m := &method{retry: rules.Retry, budget: budget}

		if !controlled(cfg.Target) {
			m.retrier = newRetrier(rules.Retry, budget)
		}

		if b := rules.Effective.GetBreaker(); b != nil {
			m.breaker = takeBreaker(own, upstream, rpc, cfg, settingsOf(b), deps)
		}

		if hedged(cfg, rules.Retry) {
			m.hedge = &hedge{after: rules.Retry.HedgeAfter, codes: rules.Retry.Codes, budget: budget}
		}

		methods[rpc] = m
	}

	return methods
}

// settingsOf returns the settings of a breaker. It has all its defaults.
func settingsOf(b *porticov1.Breaker) config.Breaker {
	return config.Breaker{
		FailureRatio: b.GetFailureRatio(), MinRequests: uint32(max(b.GetMinRequests(), 0)),
		Window: b.GetWindow().AsDuration(), OpenFor: b.GetOpenFor().AsDuration(),
		SlowAfter: b.GetSlowAfter().AsDuration(), SlowRatio: b.GetSlowRatio(), Probes: uint32(max(b.GetProbes(), 1)),
	}
}

// closed reports whether the method has no breaker of its own, or that is closed.
func (m *method) closed() bool { return m == nil || m.breaker == nil || m.breaker.Closed() }

func (m *method) retries() bool { return m != nil && m.retry != nil }

// repeatable reports whether a call with this request may be retried.
func (m *method) repeatable(req any) bool {
	if !m.retries() {
		return false
	}

	if m.retry.Key == nil {
		return true
	}

	message, ok := req.(proto.Message)

	return ok && hasKey(message, m.retry.Key)
}

// hasKey reports whether the request has the field by which the backend recognizes a retry.
func hasKey(req proto.Message, key schema.FieldPath) bool {
	m := req.ProtoReflect()

	for _, field := range key[:len(key)-1] {
		if !m.Has(field) {
			return false
		}

		m = m.Get(field).Message()
	}

	return m.Has(key.Last())
}

// call makes a call, with retries and hedges as the policy allows. A call that is a breaker's probe is made once.
func (m *method) call(ctx context.Context, c *call, reply any, opts []grpc.CallOption) error {
	switch {
	case !m.retries():
		return c.send(c.attempts.Count(ctx), reply, opts)
	case c.isProbe || !m.repeatable(c.request):
		return c.send(c.attempts.Count(ctx), reply, append(slices.Clip(opts), once()))
	}

	m.budget.earn()

	if m.hedge == nil {
		return m.retrier.call(c.attempts.Count(ctx), c, reply, opts)
	}

	var err error

	c.hedge, err = m.hedge.call(ctx, reply, opts, func(ctx context.Context, reply any, opts []grpc.CallOption) error {
		attempts := c.attempts.Sibling(ctx)
		defer func() { c.siblingRetries.Add(int32(retries(attempts))) }()

		return m.retrier.call(attempts, c, reply, opts)
	})

	return err
}

// once is a call option that keeps gRPC from retrying the call: a service config knows the method alone, not whether this request
// has its key. A request that may not be buffered for another attempt (gRFC A6, "memory management") is not sent again. Attempts
// that could not be sent at all are still repeated.
func once() grpc.CallOption { return grpc.MaxRetryRPCBufferSize(0) }
