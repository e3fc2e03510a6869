package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/gateway/stream"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// handleError writes the response to an error of the mux, a generated handler or a backend.
func handleError(
	ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error,
) {
	if s, ok := stream.From(ctx); ok {
		_ = s.Fail(ctx, err)
		return
	}

	p := explain(ctx, r, err)

	if x, ok := exchangeFrom(ctx); ok {
		// The handler's has no headers.
		r = x.request
	}

	problem.Write(w, r, p, err)
}

// handleStreamError writes a problem document if a stream fails before its first message, or else returns the status that ends it,
// as the client may read it.
func handleStreamError(ctx context.Context, err error) *status.Status {
	p := problem.From(err)
	if s, ok := stream.From(ctx); ok {
		p = s.Fail(ctx, err)
	}

	return status.New(p.GRPCCode(), p.Detail)
}

// invalid converts the error of a request that is not valid.
func invalid(err error) *problem.Problem {
	faults := binding.Faults{}
	if !errors.As(err, &faults) {
		return problem.From(err)
	}

	p := problem.New(codes.InvalidArgument, "the request is not valid").Because(reqinfo.ReasonInvalidRequest)

	if faults.More {
		p.Detail = fmt.Sprintf("the request is not valid; %d faults are listed, there may be more", len(faults.List))
	}

	for _, fault := range faults.List {
		p.Errors = append(p.Errors, problem.FieldError{In: fault.In, Field: fault.Name, Description: fault.Reason})
	}

	if len(faults.List) == 1 && !faults.More {
		p.Detail = described(faults.List[0])
	}

	// It matters more than faults of the query and headers.
	if i := slices.IndexFunc(faults.List, func(f binding.Fault) bool { return f.TooLarge }); i >= 0 {
		tooLarge := problem.WithStatus(http.StatusRequestEntityTooLarge, codes.OutOfRange, described(faults.List[i])).
			Because(reqinfo.ReasonBodyTooLarge)
		tooLarge.Errors = p.Errors

		return tooLarge
	}

	return p
}

// described describes a fault in a sentence.
func described(fault binding.Fault) string {
	what := map[string]string{
		binding.InPath: "the path variable", binding.InQuery: "the query parameter", binding.InBody: "the body",
		binding.InHeader: "the header",
	}[fault.In]

	if fault.Name == "" {
		return strings.TrimSuffix(what, " parameter") + ": " + fault.Reason
	}

	return what + ": " + fault.Name + ": " + fault.Reason
}

// explain converts an error to a problem, with what is known of the request beyond the error.
func explain(ctx context.Context, r *http.Request, err error) *problem.Problem {
	rec := reqinfo.From(r.Context())
	if rec.BodyExceeded {
		return problem.BodyTooLarge(rec.BodyLimit)
	}

	if x, ok := exchangeFrom(ctx); ok {
		if fault := x.failure(); fault != nil {
			err = fault
		}

		if err := unsatisfiable(x, err); err != nil {
			return err
		}
	}

	if errors.Is(err, protojson.ErrMask) {
		return problem.New(codes.Unimplemented, "the service replied with a field mask that has a path which JSON cannot hold")
	}

	p := invalid(err)

	switch ended := r.Context().Err(); {
	case errors.Is(context.Cause(r.Context()), stream.ErrDraining):
		return problem.New(codes.Unavailable, stream.ErrDraining.Error()+"; connect again")
	case errors.Is(context.Cause(r.Context()), stream.ErrIdle):
		return problem.New(codes.DeadlineExceeded, stream.ErrIdle.Error())
	case errors.Is(ended, context.DeadlineExceeded) || errors.Is(ctx.Err(), context.DeadlineExceeded):
		// Whatever error it led to.
		return problem.From(context.DeadlineExceeded)
	case p.GRPCCode() == codes.Canceled && ended == nil:
		// The backend gave up on a client that is still there.
		return problem.New(codes.Unavailable, "the service gave up on the request; try again")
	default:
		return p
	}
}

// unsatisfiable is the problem of a range of bytes that a file does not have (RFC 9110, section 15.5.17); nil for any other error.
func unsatisfiable(x *exchange, err error) *problem.Problem {
	st, ok := problem.Status(err)
	if !ok || st.Code() != codes.OutOfRange || !x.route.isFile() || x.request.Header.Get("Range") == "" {
		return nil
	}

	return problem.WithStatus(http.StatusRequestedRangeNotSatisfiable, codes.OutOfRange, "there are no such bytes")
}
