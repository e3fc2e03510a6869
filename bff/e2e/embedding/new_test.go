package embedding_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	shelfv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/shelf/v1"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// callingOnly is a composite that calls that upstream.
func callingOnly(upstream string) bff.Option {
	return bff.WithComposite(dashboardv1.RegisterDashboardServiceServer,
		func(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
			_, err := connect(upstream)

			return dashboardv1.UnimplementedDashboardServiceServer{}, err
		})
}

// What makes no sense is refused before anything is served, and the error names it.
func TestNewRefuses(t *testing.T) {
	t.Parallel()

	open := config.Auth{Disabled: true}
	shelf := map[string]config.Upstream{"shelf": {Addresses: []string{"127.0.0.1:1"}}}
	issuers := config.Auth{Issuers: []config.Issuer{{Issuer: "i", Audiences: []string{"a"}, JWKSURL: "https://127.0.0.1:1/keys"}}}
	register := shelfv1.RegisterShelfServiceHandler

	for name, row := range map[string]struct {
		config config.Config
		opts   []bff.Option
		want   []string
	}{
		"a_configuration_with_faults": {
			config: config.Config{Log: config.Log{Level: "loud"}},
			want:   []string{"auth: needs", "log.level"},
		},
		"a_route_without_policy": {
			config: config.Config{Auth: issuers, Upstreams: shelf},
			opts:   []bff.Option{bff.WithHandlers("shelf", register, "shelf.v1.ShelfService")},
			want:   []string{"/v1/shelves/featured", "shelf.v1.ShelfService.GetFeaturedShelf", "no portico.v1 access policy", "MoveShelf"},
		},
		"an_upstream_that_is_not_configured": {
			config: config.Config{Auth: open},
			opts:   []bff.Option{bff.WithHandlers("shelf", register, "shelf.v1.ShelfService")},
			want:   []string{"upstreams.shelf: is not configured, but shelf.v1.ShelfService needs it"},
		},
		"a_composite_that_nothing_implements": {
			config: config.Config{Auth: open},
			opts:   []bff.Option{bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService"))},
			want:   []string{"dashboard.v1.DashboardService", "WithComposite"},
		},
		// Once, this was a panic of a library.
		"a_composite_twice": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts: []bff.Option{
				bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService")), callingOnly("shelf"), callingOnly("shelf"),
			},
			want: []string{"dashboard.v1.DashboardService is implemented more than once (WithComposite)"},
		},
		"a_composite_that_calls_a_composite": {
			config: config.Config{Auth: open},
			opts:   []bff.Option{bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService")), callingOnly("dashboard.v1.DashboardService")},
			want:   []string{"dashboard.v1.DashboardService is a composite", "can call upstreams alone"},
		},
		"a_composite_that_calls_the_package_of_a_composite": {
			config: config.Config{Auth: open},
			opts:   []bff.Option{bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService")), callingOnly("dashboard")},
			want:   []string{"dashboard is a composite (dashboard.v1.DashboardService)"},
		},
		"a_composite_that_calls_what_is_not_there": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts:   []bff.Option{bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService")), callingOnly("dash")},
			want:   []string{"upstreams.dash: is not configured, but a composite needs it"},
		},
		"a_service_that_is_not_linked": {
			config: config.Config{Auth: open},
			opts:   []bff.Option{bff.WithServices(bff.Service{Name: "nobody.v1.Nothing"})},
			want:   []string{"nobody.v1.Nothing is not linked"},
		},
		"a_service_twice": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts: []bff.Option{
				bff.WithHandlers("shelf", register, "shelf.v1.ShelfService"),
				bff.WithHandlers("shelf", register, "shelf.v1.ShelfService"),
			},
			want: []string{"shelf.v1.ShelfService is registered twice"},
		},
		"handlers_that_are_not_the_services": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts: []bff.Option{bff.WithHandlers("shelf",
				func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error { return nil }, "shelf.v1.ShelfService")},
			want: []string{"register 0 handlers", "declare 10 routes"},
		},
		"handlers_of_a_service_that_is_not_named": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts:   []bff.Option{bff.WithHandlers("shelf", registerBoth, "shelf.v1.ShelfService")},
			want:   []string{"handlers of every.v1.EveryService are registered", "the service is not named", `"shelf.v1.ShelfService"`},
		},
		"a_named_service_without_handlers": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts:   []bff.Option{bff.WithHandlers("shelf", register, "every.v1.EveryService", "shelf.v1.ShelfService")},
			want:   []string{"every.v1.EveryService is named, but no handler of it is registered"},
		},
		"handlers_of_another_service": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts:   []bff.Option{bff.WithHandlers("shelf", register, "every.v1.EveryService")},
			want:   []string{"shelf.v1.ShelfService", "is not named", "every.v1.EveryService is named, but no handler"},
		},
		"a_service_named_twice_at_once": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts:   []bff.Option{bff.WithHandlers("shelf", register, "shelf.v1.ShelfService", "shelf.v1.ShelfService")},
			want:   []string{"shelf.v1.ShelfService is registered twice"},
		},
		"handlers_registered_twice": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts: []bff.Option{bff.WithHandlers("shelf", func(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
				return errors.Join(register(ctx, mux, conn), register(ctx, mux, conn))
			}, "shelf.v1.ShelfService")},
			want: []string{"/shelf.v1.ShelfService/GetShelf has more handlers than routes"},
		},
		"a_handler_by_hand": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts: []bff.Option{bff.WithHandlers("shelf", func(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
				byHand := func(http.ResponseWriter, *http.Request, map[string]string) { panic("its own reason") }

				return errors.Join(mux.HandlePath(http.MethodGet, "/by/hand", byHand), register(ctx, mux, conn))
			}, "shelf.v1.ShelfService")},
			want: []string{"a handler is not a generated one, or not of this mux; it panics: its own reason"},
		},
		"handlers_that_cannot_be_registered": {
			config: config.Config{Auth: open, Upstreams: shelf},
			opts: []bff.Option{bff.WithHandlers("shelf",
				func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error { return io.ErrUnexpectedEOF }, "shelf.v1.ShelfService")},
			want: []string{"unexpected EOF"},
		},
		"key_file_that_is_missing": {
			config: config.Config{Auth: config.Auth{Issuers: []config.Issuer{{
				Issuer: "i", Audiences: []string{"a"}, JWKSFile: "no/such/file",
			}}}},
			want: []string{"no/such/file"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			_, err := bff.New(t.Context(), row.config, append(row.opts, gatewaytest.Quiet())...)
			if err == nil {
				t.Fatal("it was accepted")
			}

			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not speak of %q:\n%v", want, err)
				}
			}
		})
	}
}

// registerBoth registers two services.
func registerBoth(ctx context.Context, mux *runtime.ServeMux, conn *grpc.ClientConn) error {
	return errors.Join(everyv1.RegisterEveryServiceHandler(ctx, mux, conn), shelfv1.RegisterShelfServiceHandler(ctx, mux, conn))
}

// Once, services that were named in another order than they register made a gateway that started, and answered everything with 500.
func TestServicesAreNamedInAnyOrder(t *testing.T) {
	t.Parallel()

	for name, services := range map[string][]string{
		"as_registered":  {"every.v1.EveryService", "shelf.v1.ShelfService"},
		"the_other_way":  {"shelf.v1.ShelfService", "every.v1.EveryService"},
		"without_routes": {"shelf.v1.ShelfService", "shelf.v1.IndexService", "every.v1.EveryService"},
	} {
		for options, more := range map[string]bff.Option{
			"":                 gatewaytest.Quiet(),
			"_with_middleware": bff.WithMuxOptions(runtime.WithMiddlewares(refuseProbes)),
		} {
			t.Run(name+options, func(t *testing.T) {
				t.Parallel()

				b := gatewaytest.StartBackend(t)

				gw, err := gatewaytest.New(t.Context(), t, config.Config{
					Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"both": {Addresses: []string{b.Address}}},
				}, bff.WithHandlers("both", registerBoth, services...), gatewaytest.Quiet(), more)
				if err != nil {
					t.Fatal(err)
				}

				s := &gatewaytest.Site{Backend: b, Gateway: gw, URL: gatewaytest.Listen(t, gw)}

				// Two routes of one RPC, and one with a body.
				for path, want := range map[string]string{
					"/v1/shelves/s": `"shelfId":"s"`, "/v1/rooms/r/shelves/s": `"title":"r"`, "/v1/echo/a/b": `"rest":"a/b"`,
				} {
					if res := s.Do(t, http.MethodGet, path, nil, ""); res.Status != http.StatusOK || !strings.Contains(res.Body, want) {
						t.Errorf("%s: %d %s", path, res.Status, res.Body)
					}
				}

				// The backend does not have this service.
				if res := s.Do(t, http.MethodPost, "/v1/every", nil, "{}"); res.Status != http.StatusNotImplemented {
					t.Errorf("%d %s", res.Status, res.Body)
				}
			})
		}
	}
}

// refuseProbes is a middleware that does not let everything through.
func refuseProbes(next runtime.HandlerFunc) runtime.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
		if r.URL.Path == "/" {
			w.WriteHeader(http.StatusTeapot)

			return
		}

		next(w, r, params)
	}
}

// elsewhere is a connection that calls another RPC than it is asked for.
type elsewhere struct{ grpc.ClientConnInterface }

func (e elsewhere) Invoke(ctx context.Context, _ string, args, reply any, opts ...grpc.CallOption) error {
	return e.ClientConnInterface.Invoke(ctx, "/profile.v1.ProfileService/GetProfile", args, reply, opts...)
}

// A handler that calls another RPC than its route's reaches nothing.
func TestHandlersOfAnotherServiceReachNothing(t *testing.T) {
	t.Parallel()

	b := gatewaytest.StartBackend(t)

	var user bff.Service

	for _, service := range gen.Services() {
		if service.Name == "user.v1.UserService" {
			user = service
		}
	}

	register := user.Register
	user.Register = func(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
		return register(ctx, mux, elsewhere{conn})
	}

	gw, err := gatewaytest.New(t.Context(), t, config.Config{
		Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"user": {Addresses: []string{b.Address}}},
	}, bff.WithServices(user), gatewaytest.Quiet())
	if err != nil {
		t.Fatal(err)
	}

	s := &gatewaytest.Site{Backend: b, Gateway: gw, URL: gatewaytest.Listen(t, gw)}

	res := s.Do(t, http.MethodGet, "/v1/users/alice", nil, "")
	if res.Status != http.StatusInternalServerError || len(s.TakeCalls()) > 0 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

func TestRunServesUntilItsContextEnds(t *testing.T) {
	t.Parallel()

	b := gatewaytest.StartBackend(t)
	b.Hold = make(chan struct{})

	listening := make(chan [2]net.Addr, 1)

	gw, err := gatewaytest.New(t.Context(), t, config.Config{
		Server:    config.Server{Address: "127.0.0.1:0"},
		Admin:     config.Admin{Address: "127.0.0.1:0"},
		Health:    config.Health{Address: config.HealthOff},
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{"shelf": {Addresses: []string{b.Address}}},
	}, bff.WithHandlers("shelf", shelfv1.RegisterShelfServiceHandler, "shelf.v1.ShelfService"), gatewaytest.Quiet(),
		bff.WithListening(func(server, admin net.Addr) { listening <- [2]net.Addr{server, admin} }))
	if err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())

	ended := make(chan error, 1)
	go func() { ended <- gw.Run(ctx) }()

	addrs := <-listening
	answered := make(chan int, 1)

	go func() {
		res, err := http.Get("http://" + addrs[0].String() + "/v1/shelves/s")
		if err != nil {
			answered <- 0

			return
		}

		_ = res.Body.Close()
		answered <- res.StatusCode
	}()

	gatewaytest.Eventually(t, "the request being at the backend", func() bool { return b.Count() == 1 })
	stop()
	gatewaytest.Eventually(t, "readiness failing", func() bool {
		res, err := http.Get("http://" + addrs[1].String() + "/readyz")
		if err != nil {
			return false
		}

		return errors.Join(res.Body.Close()) == nil && res.StatusCode == http.StatusServiceUnavailable
	})
	close(b.Hold)

	if got := <-answered; got != http.StatusOK {
		t.Errorf("the accepted request was answered with %d", got)
	}

	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunRefusesATakenPort(t *testing.T) {
	t.Parallel()

	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	gw, err := gatewaytest.New(t.Context(), t, config.Config{
		Server: config.Server{Address: taken.Addr().String()}, Auth: config.Auth{Disabled: true},
	}, gatewaytest.Quiet())
	if err != nil {
		t.Fatal(err)
	}

	if err := gw.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "server.address") ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Run: %v", err)
	}
}

// An embedding program may translate as it likes, but not route, pass headers on or write errors.
func TestMuxOptionsChangeTranslationAlone(t *testing.T) {
	t.Parallel()
	gatewaytest.Exempt(t, "the program translates in its own way")

	s := gatewaytest.Start(t, nil, bff.WithMuxOptions(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions: protojson.MarshalOptions{UseProtoNames: true},
		}),
		runtime.WithMiddlewares(func(next runtime.HandlerFunc) runtime.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request, params map[string]string) {
				w.Header().Set("X-Middleware", "yes")
				next(w, r, params)
			}
		}),
		runtime.WithForwardResponseOption(func(_ context.Context, w http.ResponseWriter, _ proto.Message) error {
			w.Header().Set("X-Forward", "yes")

			return nil
		}),
		runtime.WithForwardResponseRewriter(func(_ context.Context, m proto.Message) (any, error) {
			if user, ok := m.(*userv1.User); ok {
				user.DisplayName = "rewritten"
			}

			return m, nil
		}),
		runtime.WithOutgoingHeaderMatcher(func(name string) (string, bool) { return "X-Out-" + name, name == "content-type" }),
	))

	header := s.As(t, "alice")
	header.Set("X-Custom", "mallory")

	res := s.Do(t, http.MethodGet, "/v1/users/alice", header, "")
	if res.Status != http.StatusOK || !strings.Contains(res.Body, `"user_id"`) || !strings.Contains(res.Body, "rewritten") {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	for _, name := range []string{"X-Middleware", "X-Forward", "X-Out-Content-Type"} {
		if res.Header.Get(name) == "" {
			t.Errorf("no %s in %v", name, res.Header)
		}
	}

	for _, c := range s.TakeCalls() {
		if got := c.Metadata.Get("x-portico-subject"); len(got) != 1 || got[0] != "alice" || len(c.Metadata.Get("x-custom")) > 0 {
			t.Errorf("metadata %v", c.Metadata)
		}
	}
}
