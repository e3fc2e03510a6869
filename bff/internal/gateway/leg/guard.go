package leg

import (
	"context"
	"fmt"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Config is what a Guard enforces.
type Config struct {
	// Methods are the policies by RPC. What is not among them may be called.
	Methods map[string]*policy.Method
	// Limiter has the buckets of routes. Nil: calls are only explained.
	Limiter *limit.Limiter
	// AuthDisabled reports that nobody is asked who calls.
	AuthDisabled bool
}

// Guard enforces on each call of a composite the policy of the method that is called: who may call, for whom the request is made,
// the rules of the request message, limits that count legs, and the timeout. A call that it refuses is not made: its error is a
// status with a text for the client, which wraps the cause for the log. It is safe for concurrent use.
type Guard struct {
	callees map[string]*callee
}

// New returns a Guard.
func New(config Config) *Guard {
	g := &Guard{callees: make(map[string]*callee, len(config.Methods))}
	v := newValidators()

	for rpc, method := range config.Methods {
		g.callees[rpc] = newCallee(method, config, v)
	}

	return g
}

// callee is a method that composites call.
type callee struct {
	access
	rules

	timeout time.Duration
	// limits takes the tokens of a call. Nil: it costs none.
	limits func(context.Context) error
	// err is why the policy cannot be enforced, and the method not be called. Nil: it can be.
	err error
}

func newCallee(method *policy.Method, config Config, v validators) *callee {
	c := &callee{
		access: newAccess(method, config.AuthDisabled), rules: v.rules(method),
		timeout: method.Policy.Effective.GetTimeout().AsDuration(), err: method.Err,
	}

	if config.Limiter != nil {
		c.limits = config.Limiter.Leg(method.RPC, method.Policy.Effective.GetRateLimits())
	}

	return c
}

// of returns the callee of a method as gRPC accepts its name. Nil: there is no policy.
func (g *Guard) of(method string) *callee {
	if !strings.HasPrefix(method, "/") {
		method = "/" + method
	}

	return g.callees[method]
}

// Unary is an interceptor for Conn.
func (g *Guard) Unary(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	c := g.of(method)
	if c == nil {
		return invoke(ctx, method, req, reply, cc, opts...)
	}

	if err := c.admit(ctx, req); err != nil {
		return err
	}

	return invoke(ctx, method, req, reply, cc, opts...)
}

// Timeout is an interceptor for Conn that bounds the time of the call that is made, which may be one for several callers or in
// place of several others. It belongs inside of what joins calls.
func (g *Guard) Timeout(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if c := g.of(method); c != nil {
		var cancel context.CancelFunc

		ctx, cancel = within(ctx, c.timeout)
		defer cancel()
	}

	return invoke(ctx, method, req, reply, cc, opts...)
}

// admit refuses a call that the policy does not allow. Only one that it allows takes tokens.
func (c *callee) admit(ctx context.Context, req any) error {
	err := c.check(ctx, req)
	if err == nil && c.limits != nil {
		err = c.limits(ctx)
	}

	return refusal(err)
}

// check checks a request.
func (c *callee) check(ctx context.Context, req any) error {
	if c.err != nil {
		return fmt.Errorf("policy of %s: %w", c.rpc, c.err)
	}

	message, _ := req.(proto.Message)

	if err := c.access.check(ctx, reqinfo.From(ctx), message); err != nil {
		return err
	}

	return c.rules.check(ctx, message)
}

// refusal converts an error to a status for the composite, which wraps it. It is nil if there is none.
func refusal(err error) error {
	if err == nil {
		return nil
	}

	p := problem.From(err)
	st := status.New(p.GRPCCode(), p.Detail)

	if p.RetryAfter > 0 {
		if detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(p.RetryAfter)}); err == nil {
			st = detailed
		}
	}

	return problem.WithCause(st, err)
}

// within bounds the time of a call, unless it ends sooner anyway. No timeout bounds nothing.
func within(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); timeout <= 0 || ok && time.Until(deadline) <= timeout {
		return ctx, func() {}
	}

	return context.WithTimeout(ctx, timeout)
}
