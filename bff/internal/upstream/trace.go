package upstream

import (
	"context"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// startSpan starts the span of a call. Below it, package balance starts one for each attempt, with which the backend continues the
// trace; a control plane balances without that, and the backend gets the span of the call.
func (u *upstream) startSpan(ctx context.Context, rpc string) (context.Context, *tracing.Span) {
	if !u.traced {
		return ctx, nil
	}

	ctx, span := tracing.StartCall(ctx, u.name, rpc)
	if span == nil || !u.controlled {
		return ctx, span
	}

	parent, state := span.Headers()

	md, _ := metadata.FromOutgoingContext(ctx)
	md = metadata.Join(md, metadata.Pairs(tracing.MetadataParent, parent))

	if state != "" {
		md.Set(tracing.MetadataState, state)
	}

	return metadata.NewOutgoingContext(ctx, md), span
}

// endSpan ends the span of a call, or of an attempt, with its result.
func endSpan(span *tracing.Span, err error) {
	if span != nil {
		st, _ := status.FromError(err)
		span.EndCall(problem.CodeName(st.Code()), st.Message())
	}
}

// endSpan ends the span of the call, of a stream with how many messages there were.
func (c *call) endSpan(err error) {
	if c.streaming {
		c.span.Count("portico.messages.sent", int(c.messages.sent.Load()))
		c.span.Count("portico.messages.received", int(c.messages.received.Load()))
	}

	endSpan(c.span, err)
}
