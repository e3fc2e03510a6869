package gateway

import (
	"context"
	"errors"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// handleError answers an error of the mux, a generated handler or a backend.
func handleError(
	ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error,
) {
	problem.Write(w, r, explain(ctx, r, err), err)
}

// explain makes a problem of an error, with what the request knows and the error does not tell.
func explain(ctx context.Context, r *http.Request, err error) *problem.Problem {
	rec := reqinfo.From(r.Context())
	if rec.BodyExceeded {
		return problem.BodyTooLarge(rec.BodyLimit)
	}

	p := problem.From(err)

	switch ended := r.Context().Err(); {
	case errors.Is(context.Cause(r.Context()), errDraining):
		return problem.New(codes.Unavailable, errDraining.Error()+"; connect again")
	case errors.Is(ended, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		// Whatever the last symptom was.
		return problem.From(context.DeadlineExceeded)
	case p.GRPCCode() == codes.Canceled && ended == nil:
		// The backend gave up on a client that is still there.
		return problem.New(codes.Unavailable, "the service gave up on the request; try again")
	default:
		return p
	}
}
