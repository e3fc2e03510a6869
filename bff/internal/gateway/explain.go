package gateway

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/response"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// Explanation is what the gateway would do with a request.
type Explanation struct {
	// Route is the one that matches. Nil: none does, and Problem is why.
	Route *Route
	// Variables are the path variables.
	Variables map[string]string
	// Checks are all requirements of the access policy, with why they are not met, if so.
	Checks []Check
	// Request is the message that the RPC would get. Nil: it cannot be decoded, and Problem is why.
	Request proto.Message
	// Rules is the error of the rules of the request's proto (buf.validate). Nil: it is valid.
	Rules error
	// Status and Problem are the problem document of a request that the route, the path or the body rule out.
	Status  int
	Problem string
}

// Check is a requirement of the access policy. Fault is why it is not met, or nil.
type Check struct {
	Name  string
	Fault error
}

// Explain routes and decodes a request, but calls no backend, and no failed check ends it. The request's context must carry a
// record with the principal; the handlers must have been registered with connections that run ExplainUnary and ExplainStream.
func (g *Gateway) Explain(r *http.Request) (Explanation, error) {
	var e Explanation

	router := &Gateway{trees: map[string]*pathtemplate.Tree[*target]{}}

	for i := range g.routes {
		route := &g.routes[i]
		// The request is matched and decoded as usual, without the layers between.
		guarded := recordRoute(route, body(route)(invoke(route, nil)))
		router.add(route, func(w http.ResponseWriter, req *http.Request, params pathtemplate.Values) {
			e.Route, e.Variables = route, params.Map()
			guarded(w, req.WithContext(context.WithValue(req.Context(), explainKey{}, &e)), params)
		})
	}

	rec := reqinfo.From(r.Context())
	// The edge would count them.
	rec.AddWireBytes(int(max(r.ContentLength, 0)))

	recorder := response.Record(nil, 0)
	router.ServeHTTP(recorder, r)

	if e.Request == nil {
		e.Status, e.Problem = recorder.Status(), string(recorder.Body())
	}

	if e.Route != nil {
		e.Checks = checks(r.Context(), *e.Route, rec, e.Request)
	}

	return e, nil
}

func checks(ctx context.Context, route Route, rec *reqinfo.Record, request proto.Message) []Check {
	access := auth.Checks(route.Policy.Effective.GetAccess(), route.Policy.Condition)

	list := make([]Check, 0, len(access)+1)
	for _, check := range access {
		list = append(list, Check{Name: check.Name, Fault: check.Fault(ctx, rec)})
	}

	if c := route.Policy.Condition; c != nil && c.NeedsRequest() {
		check := Check{Name: "if " + c.String(), Fault: errNoRequest}
		if request != nil {
			check.Fault = c.Allows(ctx, rec, request)
		}

		list = append(list, check)
	}

	return list
}

var errNoRequest = errors.New("the request cannot be decoded")

type explainKey struct{}

// errExplained ends the calls of an explained request. It is not shown.
var errExplained = status.Error(codes.Aborted, "explained")

// ExplainUnary explains the request of a call instead of making it.
func ExplainUnary(
	ctx context.Context, _ string, req, _ any, _ *grpc.ClientConn, _ grpc.UnaryInvoker, _ ...grpc.CallOption,
) error {
	return explainRequest(ctx, req)
}

// ExplainStream explains the request of a stream instead of opening it.
func ExplainStream(
	ctx context.Context, _ *grpc.StreamDesc, _ *grpc.ClientConn, _ string, _ grpc.Streamer, _ ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return explainedStream{ctx: ctx}, nil
}

type explainedStream struct {
	grpc.ClientStream

	ctx context.Context //nolint:containedctx // It is the stream's, which gRPC keeps in the stream.
}

func (s explainedStream) Context() context.Context { return s.ctx }

func (s explainedStream) SendMsg(m any) error {
	return explainRequest(s.ctx, m)
}

// explainRequest completes the explanation with the request of the call. The error ends the call.
func explainRequest(ctx context.Context, request any) error {
	e, explained := ctx.Value(explainKey{}).(*Explanation)
	x, exchanged := exchangeFrom(ctx)
	message, ok := request.(proto.Message)

	if !explained || !exchanged || !ok {
		return errExplained
	}

	if !x.route.ClientStream || x.customMarshaler {
		if err := x.bind(message); err != nil {
			return err
		}
	}

	e.Request, e.Rules = message, x.route.binding.Validate(ctx, message)

	return errExplained
}
