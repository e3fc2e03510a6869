package traffic_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	protocodec "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// scenario is what happens in the branch "orders" of a page, and what kind of branch that is. Requests name it by its index, as the
// number of orders.
type scenario struct{ kind, fault string }

// faults are what may happen in a branch.
var faults = []string{"panic", "exit", "hang", "cancellation", "large"}

func scenarios() (all []scenario) {
	for _, kind := range []string{"required", "optional", "each", "forward"} {
		for _, fault := range faults {
			all = append(all, scenario{kind, fault})
		}
	}

	return all
}

// faultyBackend is a backend whose ListOrders has the fault of the scenario, and whose GetProfile takes until the end of a trial.
type faultyBackend struct {
	*gatewaytest.Backend

	trials *trials
}

func (b faultyBackend) ListOrders(ctx context.Context, req *orderv1.ListOrdersRequest) (*orderv1.ListOrdersResponse, error) {
	switch scenarios()[req.GetPageSize()].fault {
	case "hang":
		<-ctx.Done()

		return nil, status.FromContextError(ctx.Err()).Err()
	case "cancellation":
		b.trials.fails(req.GetUserId(), time.Now())

		return nil, status.Error(codes.Canceled, "secret of a backend")
	default:
		b.trials.fails(req.GetUserId(), time.Now())

		return tooLarge, nil
	}
}

// tooLarge is a list of 10 MiB, and tooLargeEncoding its encoding.
var (
	tooLarge         = &orderv1.ListOrdersResponse{}
	tooLargeEncoding = make([]byte, 10<<20)
)

// sharedCodec has the encoding of tooLarge: making it for each reply would take longer than all the rest.
type sharedCodec struct{ encoding.CodecV2 }

func (c sharedCodec) Marshal(v any) (mem.BufferSlice, error) {
	if v == tooLarge {
		return mem.BufferSlice{mem.SliceBuffer(tooLargeEncoding)}, nil
	}

	return c.CodecV2.Marshal(v)
}

// faultyPage is a composite in which a scenario happens.
type faultyPage struct {
	dashboardv1.UnimplementedDashboardServiceServer

	users    userv1.UserServiceClient
	orders   orderv1.OrderServiceClient
	profiles profilev1.ProfileServiceClient
	trials   *trials
	// siblings gets why the context of a branch beside the faulty one has ended.
	siblings chan error
}

func (p *faultyPage) GetMyDashboard(ctx context.Context, req *dashboardv1.GetMyDashboardRequest) (*dashboardv1.Dashboard, error) {
	page := &dashboardv1.Dashboard{}
	s := scenarios()[req.GetOrderCount()]
	// What fails before the branch beside it has begun ends nothing.
	begun := make(chan struct{})

	user := composite.Required("user", composite.Forward(p.users.GetUser, &userv1.GetUserRequest{UserId: "alice"}))
	profile := composite.Optional("profile", func(ctx context.Context) error {
		close(begun)

		if s.kind == "optional" {
			return composite.Forward(p.profiles.GetProfile, &profilev1.GetProfileRequest{UserId: "alice"})(ctx)
		}

		<-ctx.Done()

		p.siblings <- ctx.Err()

		return ctx.Err()
	})

	return page, composite.Run(ctx, page, user, p.faulty("alice", req.GetOrderCount(), begun).After(user), profile)
}

// faulty is the branch of a user's orders in which it happens, once the one beside it has begun.
func (p *faultyPage) faulty(user string, count int32, begun <-chan struct{}) *composite.Branch {
	s, request := scenarios()[count], &orderv1.ListOrdersRequest{UserId: user, PageSize: count}
	run := func(ctx context.Context) error {
		<-begun

		switch s.fault {
		case "panic":
			p.trials.fails(user, time.Now())
			panic("secret of a branch")
		case "exit":
			p.trials.fails(user, time.Now())
			runtime.Goexit()
		case "hang":
			deadline, _ := ctx.Deadline()
			p.trials.fails(user, deadline)
		}

		if s.kind == "forward" {
			return composite.Forward(p.orders.ListOrders, request)(ctx)
		}

		_, err := p.orders.ListOrders(ctx, request)

		return err
	}

	branch := composite.Required("orders", run)

	switch s.kind {
	case "optional":
		branch = composite.Optional("orders", run)
	case "each":
		branch = composite.Required("orders", func(ctx context.Context) error {
			return composite.Each(ctx, []int{0}, 1, func(ctx context.Context, _, _ int) error { return run(ctx) })
		})
	}

	if s.fault == "hang" {
		return branch.Within(50 * time.Millisecond)
	}

	return branch
}

// startFaulty serves the page over the backend.
func startFaulty(t *testing.T) (*gatewaytest.Site, *faultyPage) {
	t.Helper()

	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	b := &gatewaytest.Backend{}
	p := &faultyPage{siblings: make(chan error, 64), trials: &trials{}}
	faulty := faultyBackend{b, p.trials}
	server := grpc.NewServer(grpc.ForceServerCodecV2(sharedCodec{encoding.GetCodecV2(protocodec.Name)}))
	userv1.RegisterUserServiceServer(server, b)
	orderv1.RegisterOrderServiceServer(server, faulty)
	profilev1.RegisterProfileServiceServer(server, faulty)
	healthv1.RegisterHealthServer(server, health.NewServer())

	go func() { _ = server.Serve(listener) }()

	t.Cleanup(server.Stop)

	cfg := config.Config{Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{}}
	for _, name := range []string{"user", "order", "profile"} {
		// What fails here must not open a breaker.
		cfg.Upstreams[name] = config.Upstream{Addresses: []string{listener.Addr().String()}, Breaker: config.Breaker{MinRequests: 1e6}}
	}

	cfg.Limits.Client = config.Rate{Requests: 1e6, Burst: 1e6}
	gatewaytest.SetPolicy(&cfg, "*", gatewaytest.Object{"rate_limits": []any{gatewaytest.Object{"requests": 1e6}}, "timeout": "30s"})
	// No second call is made beside one that takes long.
	gatewaytest.SetPolicy(&cfg, getProfile, gatewaytest.Object{"retry": gatewaytest.Object{"max_attempts": 1}})

	gw, err := gatewaytest.New(t.Context(), t, cfg, gatewaytest.Quiet(),
		bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService")),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, func(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
			user, userErr := connect("user")
			order, orderErr := connect("order")
			profile, profileErr := connect("profile")

			p.users, p.orders = userv1.NewUserServiceClient(user), orderv1.NewOrderServiceClient(order)
			p.profiles = profilev1.NewProfileServiceClient(profile)

			return p, errors.Join(userErr, orderErr, profileErr)
		}))
	if err != nil {
		t.Fatal(err)
	}

	return &gatewaytest.Site{Backend: b, Gateway: gw, URL: gatewaytest.Listen(t, gw)}, p
}

// Whatever happens in a branch, the process lives, the branches beside it end because of it and long before their own time, and
// nothing is left behind. It is not parallel, because it counts the goroutines of the process.
func TestFaultsInABranch(t *testing.T) { //nolint:paralleltest // See above.
	s, p := startFaulty(t)

	request := func(i int, sc scenario) {
		res := s.Do(t, http.MethodGet, fmt.Sprintf("/v1/me/dashboard?orderCount=%d", i), nil, "")
		if strings.Contains(res.Body, "secret") {
			t.Errorf("%v: %s", sc, res.Body)
		}

		if sc.kind != "optional" {
			if err := <-p.siblings; !errors.Is(err, context.Canceled) || res.Status < 400 {
				t.Errorf("%v: a sibling ended because of %v, and the client got %d %s", sc, err, res.Status, res.Body)
			}

			return
		}

		if res.Status != http.StatusOK || !strings.Contains(res.Body, `"part":"orders"`) || strings.Contains(res.Body, `"part":"profile"`) {
			t.Errorf("%v: %d %s", sc, res.Status, res.Body)
		}
	}

	for i, sc := range scenarios() {
		request(i, sc)
	}

	http.DefaultClient.CloseIdleConnections()

	before := runtime.NumGoroutine()

	const workers, calls, large = 8, 15, 2

	for i, sc := range scenarios() {
		var wait sync.WaitGroup

		times := calls
		if sc.fault == "large" {
			times = large
		}

		for range workers {
			wait.Go(func() {
				for range times {
					request(i, sc)
				}
			})
		}

		wait.Wait()
	}

	http.DefaultClient.CloseIdleConnections()
	gatewaytest.Eventually(t, "as few goroutines as before", func() bool { return runtime.NumGoroutine() <= before+2*workers })
}
