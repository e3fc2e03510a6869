package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// From converts any error: a Problem is returned as it is; a gRPC status has its message if the code is public, and its details if
// it is deliberate; an unknown error is a plain 500.
func From(err error) *Problem {
	if known := (*Problem)(nil); errors.As(err, &known) {
		return known
	}

	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return BodyTooLarge(tooLarge.Limit)
	}

	if routed := (*runtime.HTTPStatusError)(nil); errors.As(err, &routed) && routed.HTTPStatus == http.StatusBadRequest {
		return New(codes.InvalidArgument, "the path is not valid")
	}

	if st, ok := Status(err); ok {
		p := fromStatus(st)
		p.refusal = refusalOf(err)

		// A backend may notice first that the gateway's deadline has passed.
		if p.grpcCode == codes.DeadlineExceeded && p.refusal.Reason == "" {
			p.refusal.Reason = reqinfo.ReasonDeadline
		}

		return p
	}

	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return New(codes.DeadlineExceeded, generic(codes.DeadlineExceeded)).Because(reqinfo.ReasonDeadline)
	case errors.Is(err, context.Canceled):
		return New(codes.Canceled, generic(codes.Canceled))
	default:
		return New(codes.Internal, generic(codes.Internal))
	}
}

// BodyTooLarge is the problem of a request body over the limit in bytes (RFC 9110, section 15.5.14).
func BodyTooLarge(limit int64) *Problem {
	return WithStatus(http.StatusRequestEntityTooLarge, codes.OutOfRange,
		fmt.Sprintf("the request body is larger than %d bytes", limit)).Because(reqinfo.ReasonBodyTooLarge)
}

// Status returns the gRPC status in an error, if it is not OK. Unlike status.FromError it does not add the text of wrapping errors
// to the message, which a client may read.
func Status(err error) (*status.Status, bool) {
	var carrier interface{ GRPCStatus() *status.Status }
	if errors.As(err, &carrier) {
		if st := carrier.GRPCStatus(); st.Code() != codes.OK {
			return st, true
		}
	}

	return nil, false
}

func fromStatus(st *status.Status) *Problem {
	details := st.Details()

	switch {
	case brokeOff(st):
		st = status.New(codes.Unavailable, "")
	case fromTransport(st):
		st = status.New(codes.Internal, "")
	}

	detail := generic(st.Code())
	if public(st.Code()) && st.Message() != "" {
		detail = Clip(st.Message(), maxDetail)
	}

	p := New(st.Code(), detail)
	p.RetryAfter = retryDelay(details)

	if deliberate(st.Code()) {
		p.addDetails(details)
	}

	return p
}

// fromTransport reports whether gRPC itself made a status, with a code that backends use as well: for a message over the size
// limit, or a proxy's response. Only the text shows that. A proxy without a backend (502, 503, 504) is UNAVAILABLE.
func fromTransport(st *status.Status) bool {
	return st.Code() != codes.Unavailable &&
		(strings.HasPrefix(st.Message(), "grpc: ") || strings.HasPrefix(st.Message(), "unexpected HTTP status code"))
}

// brokeOff reports whether gRPC itself made a status because a proxy lost its backend, and ended the call by a reset or without
// trailers. grpc-go maps that to INTERNAL, but a lost connection to UNAVAILABLE.
func brokeOff(st *status.Status) bool {
	if st.Code() != codes.Internal {
		return false
	}

	switch st.Message() {
	case "stream terminated by RST_STREAM with error code: INTERNAL_ERROR",
		"stream terminated by RST_STREAM with error code: NO_ERROR",
		"server closed the stream without sending trailers":
		return true
	default:
		return false
	}
}

// public reports whether messages with this code are written for the caller. Others come from gRPC itself, a crash or a network,
// and may name addresses, files or queries.
func public(c codes.Code) bool {
	switch c {
	case codes.InvalidArgument, codes.NotFound, codes.AlreadyExists, codes.PermissionDenied, codes.FailedPrecondition,
		codes.Aborted, codes.OutOfRange, codes.ResourceExhausted:
		return true
	default:
		return false
	}
}

// deliberate reports whether details with this code are written by a backend's author. Those of a fault may be anything.
func deliberate(c codes.Code) bool {
	switch c {
	case codes.Canceled, codes.DeadlineExceeded, codes.Unimplemented, codes.Unavailable, codes.Unauthenticated:
		return true
	default:
		return public(c)
	}
}

// generic is what a client reads if the message is not for it.
func generic(c codes.Code) string {
	switch c {
	case codes.Canceled:
		return "the client closed the request"
	case codes.DeadlineExceeded:
		return "the response did not come in time"
	case codes.Unavailable:
		return "a service that is needed for the response is not available at the moment"
	case codes.Unauthenticated:
		return "valid credentials are needed"
	case codes.Unimplemented:
		return "the service does not offer this method"
	case codes.PermissionDenied:
		return "the caller may not do this"
	case codes.ResourceExhausted:
		return "a limit was reached"
	case codes.NotFound:
		return "there is no such resource"
	case codes.InvalidArgument, codes.OutOfRange, codes.FailedPrecondition, codes.Aborted, codes.AlreadyExists:
		return "the request cannot be carried out as it is"
	default:
		return "something went wrong on our side"
	}
}

// Clip makes valid UTF-8 of at most limit bytes, and an ellipsis if there was more.
func Clip(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}

	cut := limit
	for !utf8.RuneStart(text[cut]) {
		cut--
	}

	return text[:cut] + "…"
}
