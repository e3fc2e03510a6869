package balance

import (
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/tracing"
)

// traced starts the span of an attempt at the address of the member, if the request of the call is sampled, and adds it to the
// metadata that the backend gets. One that is not sent leaves no span: gRPC looks for another address then.
func traced(info balancer.PickInfo, m *member, result balancer.PickResult) balancer.PickResult {
	span := tracing.StartAttempt(info.Ctx, info.FullMethodName, m.address)
	if span == nil {
		return result
	}

	parent, state := span.Headers()
	if result.Metadata = metadata.Join(result.Metadata, metadata.Pairs(tracing.MetadataParent, parent)); state != "" {
		result.Metadata.Set(tracing.MetadataState, state)
	}

	done := result.Done
	result.Done = func(end balancer.DoneInfo) {
		if end.Err != nil || end.BytesSent {
			st, _ := status.FromError(end.Err)
			span.EndCall(problem.CodeName(st.Code()), st.Message())
		}

		if done != nil {
			done(end)
		}
	}

	return result
}
