package problem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Buffered is a body that is in memory already.
type Buffered interface {
	// Bytes returns all of the body, and the error of reading it. It does not read, and the bytes must not be changed.
	Bytes() ([]byte, error)
}

// ReadBody returns the body of a request, which can be read again after that. If it cannot be read, the response says why, and ok
// is false.
func ReadBody(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := readBody(r)
	if err != nil {
		rec := reqinfo.From(r.Context())
		Write(w, r, Unread(r.Context(), err, rec.BodyExceeded, rec.BodyLimit), err)

		return nil, false
	}

	return body, true
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}

	if body, ok := r.Body.(Buffered); ok {
		return body.Bytes()
	}

	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))

	return body, err
}

// Unread is the problem of a request whose body could not be read, for this error. ctx is the request's; exceeded reports whether
// the body is larger than limit, in bytes.
func Unread(ctx context.Context, err error, exceeded bool, limit int64) *Problem {
	known := (*Problem)(nil)

	switch {
	case errors.As(err, &known):
		return known
	case exceeded:
		return BodyTooLarge(limit)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return From(context.DeadlineExceeded)
	default:
		return From(Unreadable(err))
	}
}

// Unreadable is the error of a body that could not be read, for the cause. A problem is returned as it is.
func Unreadable(cause error) error {
	if known := (*Problem)(nil); errors.As(cause, &known) {
		return cause
	}

	return fmt.Errorf("%w: %w", New(codes.InvalidArgument, "the body could not be read"), cause)
}

// BodyTooExpensive is the problem of a body that would take more memory than the request may.
func BodyTooExpensive() *Problem {
	return WithStatus(http.StatusRequestEntityTooLarge, codes.OutOfRange,
		"the body takes too much memory for the size of the request")
}
