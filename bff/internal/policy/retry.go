package policy

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/schema"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Retry says when a call to a backend is made again.
type Retry struct {
	// MaxAttempts are the calls in all, at least 1.
	MaxAttempts int
	// InitialBackoff is the pause before the second call. It doubles before each further one, up to MaxBackoff.
	InitialBackoff, MaxBackoff time.Duration
	// Codes are worth another call.
	Codes []codes.Code
	// Key is the field of the request that must be set, since it makes the call safe to be made again. Nil: it always is.
	Key schema.FieldPath
	// HedgeAfter is how long the first call may last before a second one is made beside it. Zero: there is none.
	HedgeAfter time.Duration
}

// What holds where the options say nothing, as their comments name it.
const (
	defaultAttempts       = 3
	maxAttempts           = 5
	defaultInitialBackoff = 25 * time.Millisecond
	defaultMaxBackoff     = 250 * time.Millisecond
)

// headerKey is the header by which a client says that requests are one (draft-ietf-httpapi-idempotency-key-header).
const headerKey = "Idempotency-Key"

// readOnly reports whether the schema says that the method has no side effects.
func (c *compiler) readOnly() bool { return schema.ReadOnly(c.method) }

func (c *compiler) level() descriptorpb.MethodOptions_IdempotencyLevel {
	options, _ := c.method.Options().(*descriptorpb.MethodOptions)

	return options.GetIdempotencyLevel()
}

// retry compiles retries, and removes them from the policy of a method that may not be called again: a default is for others.
// Of a composite, only the calls to backends that it makes are called again, by their own policies.
func (c *compiler) retry() {
	if c.Effective.GetRetry() == nil {
		c.Effective.Retry = &porticov1.Retry{}
	}

	in := c.Effective.GetRetry()
	key, fault := c.repeatable()

	if fault != nil && c.own.GetRetry() != nil && in.GetMaxAttempts() != 1 {
		c.faultf("retry", "%w", fault)
	}

	if out := c.attempts(in); fault == nil && !c.method.IsStreamingClient() && (out.MaxAttempts > 1 || out.HedgeAfter > 0) {
		out.Key, c.Retry = key, out
	} else {
		c.Effective.Retry = nil
	}
}

// repeatable returns the field of the request that must be set for a call to be made again, if there is one. The error says why it
// may not be.
func (c *compiler) repeatable() (key schema.FieldPath, fault error) {
	if service, ok := c.method.Parent().(protoreflect.ServiceDescriptor); ok && Service(service).GetComposite() {
		return nil, errComposite
	}

	if c.level() != descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN {
		return nil, nil
	}

	for _, h := range c.Headers {
		if h.Name == headerKey && h.Field != nil && h.Field.HasText() {
			return h.Field, nil
		}
	}

	return nil, errUnsafe
}

// Why a method is not called again.
var (
	errComposite = errors.New("a composite is not called again; the calls that it makes are")
	errUnsafe    = kindError{kind: ErrRetryUnsafe, text: "the method says neither by its idempotency_level nor by a field" +
		" that the header " + headerKey + " sets that it may be called again"}
	errHedge = kindError{kind: ErrRetryUnsafe, text: "the method has side effects, as far as its idempotency_level says"}
)

// attempts completes the options, and returns them compiled.
func (c *compiler) attempts(in *porticov1.Retry) *Retry {
	if in.GetMaxAttempts() < 0 || in.GetMaxAttempts() > maxAttempts {
		c.faultf("retry.max_attempts", "%d is not between 1 and %d", in.GetMaxAttempts(), maxAttempts)
	}

	in.MaxAttempts = cmp.Or(in.GetMaxAttempts(), defaultAttempts)
	in.InitialBackoff = c.optional("retry.initial_backoff", in.GetInitialBackoff(), defaultInitialBackoff)
	in.MaxBackoff = c.optional("retry.max_backoff", in.GetMaxBackoff(), defaultMaxBackoff)
	in.HedgeAfter = c.optional("retry.hedge_after", in.GetHedgeAfter(), 0)

	if len(in.GetCodes()) == 0 {
		in.Codes = []string{code.Code_UNAVAILABLE.String()}
	}

	if in.GetHedgeAfter() != nil && !c.readOnly() {
		if c.own.GetRetry() != nil {
			c.faultf("retry.hedge_after", "%w", errHedge)
		}

		in.HedgeAfter = nil
	}

	return &Retry{
		MaxAttempts: int(in.GetMaxAttempts()), Codes: c.codes(in.GetCodes()),
		InitialBackoff: in.GetInitialBackoff().AsDuration(), MaxBackoff: in.GetMaxBackoff().AsDuration(),
		HedgeAfter: in.GetHedgeAfter().AsDuration(),
	}
}

func (c *compiler) codes(names []string) []codes.Code {
	out := make([]codes.Code, 0, len(names))

	for i, name := range names {
		value, known := code.Code_value[name]
		if !known || value == int32(codes.OK) {
			c.faultf(fmt.Sprintf("retry.codes[%d]", i), "%q is not the name of an error in google.rpc.Code", name)
		}

		out = append(out, codes.Code(value))
	}

	return out
}
