package policy

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/portico-gateway/portico/bff/internal/schema/fieldpath"
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
	Key fieldpath.Path
	// HedgeAfter is how long the first call may take before a second one is made beside it. Zero: there is none.
	HedgeAfter time.Duration
}

// String prints it as the table of routes does: "3 attempts, hedged after 50ms".
func (r Retry) String() string {
	text := fmt.Sprintf("%d attempts", r.MaxAttempts)
	if r.Key != nil {
		text += " with " + headerKey
	}

	if r.HedgeAfter > 0 {
		text += fmt.Sprintf(", hedged after %s", r.HedgeAfter)
	}

	return text
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

// readOnly tells whether the schema says that the method has no side effects.
func (c *compiler) readOnly() bool { return c.level() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS }

func (c *compiler) level() descriptorpb.MethodOptions_IdempotencyLevel {
	options, _ := c.method.Options().(*descriptorpb.MethodOptions)

	return options.GetIdempotencyLevel()
}

// retry is nil for methods that may not be called again. As a default it is for the others. Of a composite, only the calls to
// backends that it makes are called again, by their own policies.
func (c *compiler) retry(in *porticov1.Retry, headers []Header) *Retry {
	out := c.attempts(in)

	if service, ok := c.method.Parent().(protoreflect.ServiceDescriptor); ok && Service(service).GetComposite() {
		if c.own.GetRetry() != nil && out.MaxAttempts > 1 {
			c.faultf("retry", "a composite is not called again; the calls that it makes are")
		}

		return nil
	}

	if c.level() == descriptorpb.MethodOptions_IDEMPOTENCY_UNKNOWN {
		i := slices.IndexFunc(headers, func(h Header) bool { return h.Name == headerKey && h.Field != nil && h.Field.HasText() })
		if i < 0 {
			if c.own.GetRetry() != nil && out.MaxAttempts > 1 {
				c.unsafef("retry", "the method says neither by its idempotency_level nor by a field that the header %s sets that it"+
					" may be called again", headerKey)
			}

			return nil
		}

		out.Key = headers[i].Field
	}

	if c.method.IsStreamingClient() || out.MaxAttempts <= 1 && out.HedgeAfter == 0 {
		return nil
	}

	return out
}

func (c *compiler) attempts(in *porticov1.Retry) *Retry {
	out := &Retry{
		MaxAttempts: or(int(in.GetMaxAttempts()), defaultAttempts), Codes: c.codes(in.GetCodes()),
		InitialBackoff: c.optional("retry.initial_backoff", in.GetInitialBackoff(), defaultInitialBackoff),
		MaxBackoff:     c.optional("retry.max_backoff", in.GetMaxBackoff(), defaultMaxBackoff),
		HedgeAfter:     c.optional("retry.hedge_after", in.GetHedgeAfter(), 0),
	}

	if in.GetMaxAttempts() < 0 || out.MaxAttempts > maxAttempts {
		c.faultf("retry.max_attempts", "%d is not between 1 and %d", in.GetMaxAttempts(), maxAttempts)
	}

	if !c.readOnly() && out.HedgeAfter > 0 {
		if c.own.GetRetry() != nil {
			c.unsafef("retry.hedge_after", "the method has side effects, as far as its idempotency_level says")
		}

		out.HedgeAfter = 0
	}

	return out
}

func (c *compiler) codes(names []string) []codes.Code {
	if len(names) == 0 {
		return []codes.Code{codes.Unavailable}
	}

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
