package gateway

import (
	"cmp"
	"context"
	"net/http"
	"sync"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/gateway/binding"
	"github.com/portico-gateway/portico/bff/internal/gateway/stream"
	"github.com/portico-gateway/portico/bff/internal/policy/condition"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/protojson"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// exchange is a request and its response on their way through a generated handler, which makes the call and writes the response.
// Query, headers and body are hidden from the handler. They are bound with the path variables when the call is about to be made
// (VerifyUnary, VerifyStream), strictly and with errors whose details the handler would lose.
//
// It is the context of the handler as well, which has it as a value.
type exchange struct {
	context.Context //nolint:containedctx // It is one.

	route *Route
	// request is what the client sent, w what the handler writes to.
	request *http.Request
	w       http.ResponseWriter
	// handed is the request for the handler.
	handed http.Request
	// message is w, if the response is a single message.
	message messageWriter
	// customMarshaler reports that an embedding program's marshaler reads the body, in the handler.
	customMarshaler bool
	// customBody is the body for that marshaler. Nil: it reads the client's body itself, as a stream.
	customBody *unreadBody
	// condition must hold for the request message. Nil: there is none.
	condition *condition.Condition
	// mask has the fields that the client asks for, once they are known. Nil: all.
	mask *protojson.Mask
	// chosen reports that they are known.
	chosen bool
	// sent is the request message, if it may have a field mask that the reply repeats.
	sent proto.Message
	// reply is the message for the codec, with a buffer from the pool that is nil until there is a reply.
	reply protojson.Into
	// options has room for the options of the call.
	options [4]grpc.CallOption
	// cancel ends the call, if the request is a stream.
	cancel context.CancelFunc

	mu sync.Mutex
	// fault is why a stream from the client was aborted.
	fault error
}

type exchangeKey struct{}

func exchangeFrom(ctx context.Context) (*exchange, bool) {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	return x, ok
}

// Done implements context.Context. Generated code derives a context from it that it can cancel. For a single reply, nothing waits
// for that: the call is made with the request's own (VerifyUnary). Without a channel, deriving it costs little.
func (x *exchange) Done() <-chan struct{} {
	if x.route.ownContext {
		return nil
	}

	return x.Context.Done()
}

// Value implements context.Context.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}

	return x.Context.Value(key)
}

// readsJSON reports whether the body of the request is for the gateway's codec.
func (r *Route) readsJSON(req *http.Request) bool {
	if r.defaultTranslation {
		return true
	}

	inbound, _ := runtime.MarshalerForRequest(r.mux, req)
	_, ours := inbound.(*protojson.Codec)

	return ours
}

// needsCodec reports whether only the gateway's codec can read the body: in the messages of a stream generated code sets neither
// path variables, on which access policies rely, nor a single field.
func (r *Route) needsCodec() bool {
	return r.ClientStream && (r.Body != "*" || len(r.Template.Variables()) > 0)
}

// bind completes the request message.
func (x *exchange) bind(message proto.Message) error {
	var faults binding.Faults

	// Even if the handler has set them.
	if err := x.route.binding.SetPath(pathParams(x.request), message.ProtoReflect()); err != nil {
		return invalid(err)
	}

	switch {
	case !x.customMarshaler:
		if err := faults.Add(x.bindBody(message)); err != nil {
			return err
		}
	case x.customBody != nil && !x.customBody.read && x.route.binding.HasBody():
		// Generated code does not know the body (protoc-gen-portico-gateway).
		return x.route.unsupported(x.request)
	}

	return x.bindRest(message, faults)
}

// bindBody reads the body into the message.
func (x *exchange) bindBody(message proto.Message) error {
	body, err := x.body()
	if err != nil {
		return err
	}

	switch {
	case x.route.binding.IsFile():
		x.route.binding.SetFile(message.ProtoReflect(), x.request.Header.Get("Content-Type"), body)
		return nil
	case len(body) == 0:
		return nil
	default:
		return x.decode(body, message)
	}
}

// decode reads a JSON document, the body or one of many in it, into the message, within the memory limit of the request.
func (x *exchange) decode(document []byte, message proto.Message) error {
	rec := reqinfo.From(x.request.Context())

	left := rec.MemoryLeftFor(len(document))
	before := left
	err := x.route.binding.Body(document, message.ProtoReflect(), protojson.Limits{Memory: &left, Done: x.request.Context().Done()})

	rec.Spend(before - left)

	if ctx := x.request.Context(); err != nil && ctx.Err() != nil {
		// The decoder gave up: the request has ended.
		return status.FromContextError(ctx.Err()).Err()
	}

	return err
}

// bindRest completes a message that has its path variables and its body, in which these faults were found.
func (x *exchange) bindRest(message proto.Message, faults binding.Faults) error {
	if err := x.bindParameters(message, faults); err != nil {
		return err
	}

	if err := x.route.binding.Initialized(message); err != nil {
		return invalid(err)
	}

	if err := x.route.binding.Writable(message); err != nil {
		return invalid(err)
	}

	return nil
}

// bindParameters sets the fields that the query and headers set.
func (x *exchange) bindParameters(message proto.Message, faults binding.Faults) error {
	m := message.ProtoReflect()

	header := x.request.Header
	if reqinfo.From(x.request.Context()).Head {
		// Ranges are for GET alone (RFC 9110, section 14.2).
		header = header.Clone()
		header.Del("Range")
	}

	x.route.binding.DropDerived(header, m)

	mask, err := x.route.binding.Query(x.request.URL.RawQuery, m)
	if err := faults.Add(cmp.Or(err, x.choose(mask))); err != nil {
		return err
	}

	if err := faults.Add(x.route.binding.Header(header, m)); err != nil {
		return err
	}

	if len(faults.List) > 0 {
		return invalid(faults)
	}

	x.route.binding.ResolveMask(m)

	return nil
}

// body reads the body, whose size is limited, unless it is in memory already. It must not be changed.
func (x *exchange) body() ([]byte, error) {
	if x.request.Body == http.NoBody {
		return nil, nil
	}

	buffered, ok := x.request.Body.(*bufferedBody)
	if !ok {
		buffered = bufferBody(x.request.Body, x.request.ContentLength, reqinfo.From(x.request.Context()))
	}

	if buffered.err != nil {
		return nil, problem.Unreadable(buffered.err)
	}

	return buffered.data, nil
}

// complete binds and checks the request message of a call.
func (x *exchange) complete(ctx context.Context, request any) error {
	message, ok := request.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "%T is not a message", request)
	}

	if err := x.bind(message); err != nil {
		return err
	}

	if x.route.binding.HasMask() {
		x.sent = message
	}

	return x.check(ctx, message)
}

// check checks a complete message against the route's condition, then the rules of its proto.
func (x *exchange) check(ctx context.Context, message proto.Message) error {
	if x.condition != nil {
		if err := auth.Allow(ctx, x.condition, reqinfo.From(ctx), message); err != nil {
			return err
		}
	}

	faults := binding.Faults{}
	if err := faults.Add(x.route.binding.Validate(ctx, message)); err != nil {
		if ctx.Err() != nil {
			return status.FromContextError(ctx.Err()).Err()
		}

		return status.Error(codes.Internal, err.Error())
	}

	if len(faults.List) > 0 {
		return invalid(faults)
	}

	return nil
}

// fail ends a call whose request is a stream. The first fault counts.
func (x *exchange) fail(fault error) {
	x.mu.Lock()
	defer x.mu.Unlock()

	if x.fault == nil {
		x.fault = fault
		x.cancel()
	}
}

// failure returns the fault that ended the call; nil if there was none.
func (x *exchange) failure() error {
	x.mu.Lock()
	defer x.mu.Unlock()

	return x.fault
}

// forwarded is called by generated code before it writes a message, which is nil before the first of a stream.
func forwarded(ctx context.Context, _ http.ResponseWriter, message proto.Message) error {
	x, ok := exchangeFrom(ctx)
	if !ok || message == nil {
		return nil
	}

	x.locate(message.ProtoReflect())
	x.linkNext(message.ProtoReflect())
	x.checkType(message)

	if s, ok := stream.From(ctx); ok {
		s.SetEventID(message.ProtoReflect())
	}

	return nil
}
