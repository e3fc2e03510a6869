package idempotency

import (
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// invalidKey is the response to a key that is missing or not valid ("Error Scenarios" of the draft).
func invalidKey(lines []string, err error) *problem.Problem {
	what := err.Error()
	if len(lines) == 0 {
		what = "is required"
	}

	p := problem.New(codes.InvalidArgument, "the header "+Header+" "+what).Because(reqinfo.ReasonIdempotencyKey)
	p.Errors = []problem.FieldError{{In: "header", Field: Header, Description: what}}

	return p
}

func inProgress() *problem.Problem {
	p := problem.New(codes.Aborted, "a request with this "+Header+" is in progress").Because(reqinfo.ReasonIdempotencyPending)
	p.RetryAfter = retryAfter

	return p
}

func otherRequest() *problem.Problem {
	return problem.WithStatus(http.StatusUnprocessableEntity, codes.InvalidArgument,
		"this "+Header+" was used for another request").Because(reqinfo.ReasonIdempotencyKey)
}

// unrepeatable has no Retry-After: it will be the response until the key expires.
func unrepeatable(stored Response) *problem.Problem {
	outcome := "succeeded"
	if stored.Status >= http.StatusBadRequest {
		outcome = "was refused"
	}

	return problem.Newf(codes.Aborted,
		"the first request with this %s %s with status %d, but its response is too large to be repeated",
		Header, outcome, stored.Status).Because(reqinfo.ReasonIdempotencyPending)
}

// unavailable is the response when the store fails: going on could repeat a write.
func unavailable() *problem.Problem {
	p := problem.New(codes.Unavailable, "the gateway cannot tell at the moment whether this request was made before").
		Because(reqinfo.ReasonIdempotencyStore)
	p.RetryAfter = retryAfter

	return p
}
