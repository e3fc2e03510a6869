package traffic_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/tool/protosource"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

// checkoutProto is a composite with a method that writes, and two that read.
const checkoutProto = `syntax = "proto3"; package checkout.v1;
import "google/api/annotations.proto";
import "order/v1/order.proto";
import "portico/v1/partial_error.proto";
import "portico/v1/policy.proto";
import "profile/v1/profile.proto";
message CheckoutRequest { string user_id = 1; }
message Checkout {
  order.v1.Order order = 1;
  profile.v1.Profile profile = 2;
  repeated portico.v1.PartialError partial_errors = 3;
}
service CheckoutService {
  option (portico.v1.service) = {composite: true defaults: {
    access: {public: true} idempotency: {} response: {headers: ["etag", "cache-control"]}
  }};
  rpc PlaceOrder(CheckoutRequest) returns (Checkout) {
    option (google.api.http) = {post: "/v1/checkouts" body: "*"};
  }
  rpc PreviewOrder(CheckoutRequest) returns (Checkout) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {post: "/v1/previews" body: "*"};
  }
  rpc GetCheckout(CheckoutRequest) returns (Checkout) {
    option (google.api.http) = {get: "/v1/checkouts"};
  }
}`

const checkoutService = "checkout.v1.CheckoutService"

// checkoutFile is the service, linked into this program as productFile is.
var checkoutFile = sync.OnceValues(func() (protoreflect.ServiceDescriptor, error) {
	files, err := protosource.Tree{"checkout.proto": []byte(checkoutProto)}.Compile(context.Background())
	if err != nil {
		return nil, err
	}

	return files[0].Services().Get(0), protoregistry.GlobalFiles.RegisterFile(files[0])
})

// checkout is the composite. An order is placed, or there is none; the profile of the buyer may be missing.
type checkout struct {
	service  protoreflect.ServiceDescriptor
	orders   orderv1.OrderServiceClient
	profiles profilev1.ProfileServiceClient
}

// page returns the response of all methods.
func (c checkout) page(ctx context.Context) (*dynamicpb.Message, error) {
	if err := grpc.SetHeader(ctx, metadata.Pairs("etag", `"1"`, "cache-control", "max-age=60")); err != nil {
		return nil, err
	}

	order := &orderv1.CreateOrderRequest{}
	if err := protojson.Unmarshal([]byte(gatewaytest.OrderFor("alice")), order); err != nil {
		return nil, err
	}

	page := dynamicpb.NewMessage(c.service.Methods().Get(0).Output())

	return page, composite.Run(ctx, page,
		composite.Required("order", composite.Forward(c.orders.CreateOrder, order)),
		composite.Optional("profile", composite.Forward(c.profiles.GetProfile, &profilev1.GetProfileRequest{UserId: "alice"})))
}

// registerCheckout is what generated code does for a gRPC server.
func registerCheckout(server grpc.ServiceRegistrar, c checkout) {
	desc := &grpc.ServiceDesc{ServiceName: checkoutService, HandlerType: (*any)(nil)}

	for i := range c.service.Methods().Len() {
		method := c.service.Methods().Get(i)

		desc.Methods = append(desc.Methods, grpc.MethodDesc{MethodName: string(method.Name()), Handler: func(
			_ any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
		) (any, error) {
			request := dynamicpb.NewMessage(method.Input())
			if err := decode(request); err != nil {
				return nil, err
			}

			handle := func(ctx context.Context, _ any) (any, error) { return c.page(ctx) }
			if intercept == nil {
				return handle(ctx, request)
			}

			return intercept(ctx, request, &grpc.UnaryServerInfo{FullMethod: fullMethod(method)}, handle)
		}})
	}

	server.RegisterService(desc, c)
}

func fullMethod(method protoreflect.MethodDescriptor) string {
	return "/" + checkoutService + "/" + string(method.Name())
}

// handlers is what generated code does for the routes.
func (c checkout) handlers(_ context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
	for i, route := range []struct{ verb, path string }{
		{http.MethodPost, "checkouts"}, {http.MethodPost, "previews"}, {http.MethodGet, "checkouts"},
	} {
		method := c.service.Methods().Get(i)
		lit := int(utilities.OpLitPush)

		pattern, err := runtime.NewPattern(1, []int{lit, 0, lit, 1}, []string{"v1", route.path}, "")
		if err != nil {
			return err
		}

		mux.Handle(route.verb, pattern, func(w http.ResponseWriter, req *http.Request, _ map[string]string) {
			_, outbound := runtime.MarshalerForRequest(mux, req)

			ctx, err := runtime.AnnotateContext(req.Context(), mux, req, fullMethod(method), runtime.WithHTTPPathPattern("/v1/"+route.path))
			if err != nil {
				runtime.HTTPError(req.Context(), mux, outbound, w, req, err)
				return
			}

			var md runtime.ServerMetadata

			reply := dynamicpb.NewMessage(method.Output())
			err = conn.Invoke(ctx, fullMethod(method), dynamicpb.NewMessage(method.Input()), reply,
				grpc.Header(&md.HeaderMD), grpc.Trailer(&md.TrailerMD))
			ctx = runtime.NewServerMetadataContext(ctx, md)

			if err != nil {
				runtime.HTTPError(ctx, mux, outbound, w, req, err)
				return
			}

			runtime.ForwardResponseMessage(ctx, mux, outbound, w, req, reply, mux.GetForwardResponseOptions()...)
		})
	}

	return nil
}

// startCheckout serves the composite over a backend.
func startCheckout(t *testing.T, change func(*config.Config)) (*gatewaytest.Site, *gatewaytest.FlakyBackend) {
	t.Helper()

	service, err := checkoutFile()
	if err != nil {
		t.Fatal(err)
	}

	b := gatewaytest.StartFlakyBackend(t)
	cfg := config.Config{Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{
		"order": {Addresses: []string{b.Address}}, "profile": {Addresses: []string{b.Address}},
	}}

	patient(&cfg)

	// Parts are missing although they were read before.
	cfg.Cache.Disabled = true

	if change != nil {
		change(&cfg)
	}

	c := checkout{service: service}

	gw, err := gatewaytest.New(t.Context(), t, cfg, gatewaytest.Quiet(),
		bff.WithServices(bff.Service{Name: checkoutService, Composite: true, Register: c.handlers}),
		bff.WithComposite(registerCheckout, func(connect bff.Connect) (checkout, error) {
			order, orderErr := connect("order")
			profile, profileErr := connect("profile")

			c.orders, c.profiles = orderv1.NewOrderServiceClient(order), profilev1.NewProfileServiceClient(profile)

			return c, errors.Join(orderErr, profileErr)
		}))
	if err != nil {
		t.Fatal(err)
	}

	return &gatewaytest.Site{Backend: b.Backend, Gateway: gw, URL: gatewaytest.Listen(t, gw)}, b
}

// wantPartial fails the test unless the response says, in all ways, that it is partial.
func wantPartial(t *testing.T, what string, res gatewaytest.Response) {
	t.Helper()

	if res.Status != http.StatusOK || !strings.Contains(res.Body, `"partialErrors":[{"part":"profile","code":"UNAVAILABLE"`) ||
		!strings.Contains(res.Body, `"orderId":"o1"`) || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Etag") != "" {
		t.Errorf("%s: %d %v %s", what, res.Status, res.Header, res.Body)
	}
}

// A partial response of a write is repeated, since the write has happened, and says each time that it is partial. That of a read is
// made again.
func TestPartialResponsesUnderAKey(t *testing.T) {
	memory, b := startCheckout(t, nil)
	redis, other := startCheckout(t, func(c *config.Config) {
		// A busy machine does not free a key in the usual 100 ms.
		c.Redis = config.Redis{URL: redistest.Start(t).URL(), Timeout: 10 * time.Second}
	})

	t.Parallel()

	for _, row := range []struct {
		request gatewaytest.Request
		// writes reports that the method has side effects.
		writes bool
	}{
		{gatewaytest.Request{Method: http.MethodPost, Target: "/v1/checkouts", Body: "{}"}, true},
		{gatewaytest.Request{Method: http.MethodPost, Target: "/v1/previews", Body: "{}"}, false},
		{gatewaytest.Request{Method: http.MethodGet, Target: "/v1/checkouts"}, false},
	} {
		sendUnderAKey(t, memory, b, row.request, row.writes)
		sendUnderAKey(t, redis, other, row.request, row.writes)
	}
}

// sendUnderAKey sends a request twice while a part is missing, and then once more.
func sendUnderAKey(t *testing.T, s *gatewaytest.Site, b *gatewaytest.FlakyBackend, request gatewaytest.Request, writes bool) {
	t.Helper()

	client, what := gatewaytest.PlainClient(t), request.Method+" "+request.Target
	request.Header = http.Header{"Idempotency-Key": {`"k"`}}

	b.FailWith(failing(gatewaytest.RPCGetProfile, codes.Unavailable))
	b.TakeCalls()

	wantPartial(t, what, s.MustSend(t, client, request))

	again := s.MustSend(t, client, request)
	wantPartial(t, what+" again", again)

	if replayed := again.Header.Get("Idempotency-Replayed") == "true"; replayed != writes {
		t.Errorf("%s again: replayed is %t", what, replayed)
	}

	b.Heal()

	healed := s.MustSend(t, client, request)

	if writes {
		wantPartial(t, what+" once all is well", healed)
	} else if healed.Status != http.StatusOK || strings.Contains(healed.Body, "partialErrors") || healed.Header.Get("Etag") != `"1"` {
		t.Errorf("%s once all is well: %d %v %s", what, healed.Status, healed.Header, healed.Body)
	}

	if got, want := b.CountOf(gatewaytest.RPCCreateOrder), map[bool]int{true: 1, false: 3}[writes]; got != want {
		t.Errorf("%s: the composite ran %d times, want %d", what, got, want)
	}
}
