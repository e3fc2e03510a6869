package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/binding"
	"github.com/portico-gateway/portico/bff/internal/condition"
	"github.com/portico-gateway/portico/bff/internal/jsonpb"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// exchange is a request on its way through a generated handler. The handler binds the path variables, makes the call and writes the
// answer. Query and body are hidden from it: they are bound when the call is about to be made (VerifyUnary, VerifyStream), strictly
// and with errors that keep their details, which the handler would flatten to a text.
type exchange struct {
	binding *binding.Binding
	// request is what the client sent.
	request *http.Request
	// foreign tells that an embedding program's marshaler reads the body, in the handler.
	foreign bool
	// condition must hold for the request message. Nil: there is none.
	condition *condition.Condition
}

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) (*exchange, bool) {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)

	return x, ok
}

// begin hands the request to the generated handler.
func begin(r Route, c *condition.Condition) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if err := r.binding.Path(pathParams(req)); err != nil {
				problem.Write(w, req, invalid(err), nil)

				return
			}

			x := &exchange{binding: r.binding, request: req, condition: c}

			handed := req.WithContext(context.WithValue(req.Context(), exchangeKey{}, x))
			// Not nil, so that it is not parsed.
			handed.Form, handed.PostForm = url.Values{}, url.Values{}

			if x.foreign = !r.readsJSON(req); !x.foreign {
				handed.Body = http.NoBody
			}

			next.ServeHTTP(w, handed)
		})
	}
}

// readsJSON tells whether the body of the request is for the gateway's codec.
func (r Route) readsJSON(req *http.Request) bool {
	inbound, _ := runtime.MarshalerForRequest(r.mux, req)
	_, ours := inbound.(*jsonpb.Codec)

	return ours
}

// bind completes the request message.
func (x *exchange) bind(message proto.Message) error {
	m := message.ProtoReflect()

	var faults binding.Faults

	if !x.foreign {
		body, err := x.body()
		if err != nil {
			return err
		}

		if err := x.binding.Body(body, m); err != nil && !errors.As(err, &faults) {
			return err //nolint:wrapcheck // It says all.
		}
	}

	if err := x.binding.Query(x.request.URL.RawQuery, m); err != nil {
		found := binding.Faults(nil)
		if !errors.As(err, &found) {
			return err //nolint:wrapcheck // It says all.
		}

		faults = append(faults, found...)
	}

	if len(faults) > 0 {
		return invalid(faults)
	}

	if err := proto.CheckInitialized(message); err != nil {
		return problem.New(codes.InvalidArgument, "a required field is missing")
	}

	return nil
}

// body reads the body, of which the size is limited. Of one that no route takes the first byte is enough.
func (x *exchange) body() ([]byte, error) {
	if !x.binding.HasBody() {
		var first [1]byte

		n, err := io.ReadFull(x.request.Body, first[:])
		if err == nil || errors.Is(err, io.EOF) {
			return first[:n], nil
		}

		return nil, unread(err)
	}

	body, err := io.ReadAll(x.request.Body)
	if err != nil {
		return nil, unread(err)
	}

	return body, nil
}

// unread is the error of a body that could not be read; what it was is explained by the request's record or its context.
func unread(err error) error {
	return fmt.Errorf("%w: %w", problem.New(codes.InvalidArgument, "the body could not be read"), err)
}

// allow makes the demand of the route on the complete request, if there is one.
func (x *exchange) allow(ctx context.Context, message proto.Message) error {
	if x.condition == nil {
		return nil
	}

	return auth.Allow(x.condition, reqinfo.From(ctx), message) //nolint:wrapcheck // It is a problem.
}

// complete is what a call has to wait for: a request message that is bound and allowed.
func (x *exchange) complete(ctx context.Context, request any) error {
	message, ok := request.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "%T is no message", request)
	}

	if err := x.bind(message); err != nil {
		return err
	}

	return x.allow(ctx, message)
}
