package upstream

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/concurrency"
)

// ErrOverloaded is the cause of a call that was refused because as many are under way as the backend can do at once.
var ErrOverloaded = errors.New("too many calls are under way")

// retryAfter is what a refused caller is told to wait: by then a backend has done many times what it had to do.
const retryAfter = time.Second

// overload is the refusal: an UNAVAILABLE status that wraps ErrOverloaded and says when to try again (google.rpc.RetryInfo).
type overload struct{ *status.Status }

func (o overload) Error() string              { return o.Message() }
func (o overload) GRPCStatus() *status.Status { return o.Status }
func (o overload) Unwrap() error              { return ErrOverloaded }

func overloaded(upstream string) error {
	st := status.New(codes.Unavailable, fmt.Sprintf("%s: %s", upstream, ErrOverloaded))
	if detailed, err := st.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(retryAfter)}); err == nil {
		st = detailed
	}

	return overload{st}
}

// newLimiter returns nil if there is no limit.
func newLimiter(name string, cfg config.Concurrency, observer Observer) *concurrency.Limiter {
	if cfg.Disabled {
		return nil
	}

	observer.ObserveLimit(name, cfg.Initial)

	return concurrency.New(cfg, func(limit int) { observer.ObserveLimit(name, limit) })
}
