package edge_test

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
)

// testDashboard is a dashboard that does what a test says.
type testDashboard struct {
	dashboardv1.UnimplementedDashboardServiceServer

	get func(context.Context) (*dashboardv1.Dashboard, error)
}

func (c testDashboard) GetMyDashboard(ctx context.Context, _ *dashboardv1.GetMyDashboardRequest) (*dashboardv1.Dashboard, error) {
	return c.get(ctx)
}

func withComposite(get func(context.Context) (*dashboardv1.Dashboard, error)) bff.Option {
	return bff.WithComposite(dashboardv1.RegisterDashboardServiceServer,
		func(bff.Connect) (dashboardv1.DashboardServiceServer, error) { return testDashboard{get: get}, nil })
}

// siteWith is a site whose dashboard is the test's.
func siteWith(t *testing.T, get func(context.Context) (*dashboardv1.Dashboard, error)) *gatewaytest.Site {
	t.Helper()

	s := gatewaytest.Start(t, nil)

	gw, err := gatewaytest.New(t.Context(), t, config.Config{
		Auth:      config.Auth{Disabled: true},
		Upstreams: map[string]config.Upstream{},
	}, bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService")), withComposite(get), gatewaytest.Quiet())
	if err != nil {
		t.Fatal(err)
	}

	s.URL = gatewaytest.Listen(t, gw)

	return s
}

// Once, a panic in one branch of an errgroup ended the process, out of reach of any recoverer.
func TestHazard18PanicInABranchLeavesTheProcessAlive(t *testing.T) {
	t.Parallel()

	s := siteWith(t, func(ctx context.Context) (*dashboardv1.Dashboard, error) {
		page := &dashboardv1.Dashboard{}

		err := composite.Run(ctx, page,
			composite.Required("user", func(context.Context) error { return nil }),
			composite.Optional("orders", func(context.Context) error { panic("secret of a branch") }))
		if err != nil {
			return nil, err
		}

		if len(page.GetPartialErrors()) == 1 {
			panic("secret of a composite")
		}

		return page, nil
	})

	for range 3 {
		res := s.Do(t, http.MethodGet, "/v1/me/dashboard", nil, "")
		if res.Status != http.StatusInternalServerError || strings.Contains(res.Body, "secret") {
			t.Errorf("%d %s", res.Status, res.Body)
		}

		res.Problem(t)
	}
}

// Once, a timeout wrote a second answer after the handler's own, and a limiter held its lock across I/O.
func TestHazard19TimeoutAnswersOnceAndRequestsDoNotQueue(t *testing.T) {
	t.Parallel()

	const requests = 20

	s := gatewaytest.Start(t, nil)
	s.Hold = make(chan struct{})

	var (
		wait     sync.WaitGroup
		answered atomic.Int32
	)

	for range requests {
		wait.Go(func() {
			res := s.Do(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"), "")
			answered.Add(1)

			if res.Status != http.StatusGatewayTimeout || strings.Count(res.Body, `"status"`) != 1 {
				t.Errorf("%d %s", res.Status, res.Body)
			}
		})
	}

	gatewaytest.Eventually(t, "all requests being at the backend at once", func() bool { return s.Count() == requests })

	if got := answered.Load(); got > 0 {
		t.Errorf("%d requests were answered before all were at the backend", got)
	}

	wait.Wait()
	gatewaytest.Eventually(t, "a log line each", func() bool { return strings.Count(s.Logs.String(), `"status":504`) == requests })
}

// Once, in-process services were called without interceptors, so that composites had neither identity nor deadline.
func TestHazard20CompositesAreCalledAsBackendsAre(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, gatewaytest.Patient)

	res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), "")
	if res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	calls := s.TakeCalls()
	if got := strings.Join(gatewaytest.RPCs(calls), " "); got !=
		"/order.v1.OrderService/ListOrders /profile.v1.ProfileService/GetProfile /user.v1.UserService/GetUser" {
		t.Errorf("reached %s", got)
	}

	for _, c := range calls {
		if c.Left <= 0 || c.Left > 2*time.Minute || c.Metadata.Get("x-portico-subject")[0] != "alice" {
			t.Errorf("%s has %s left and is called as %v", c.RPC, c.Left, c.Metadata.Get("x-portico-subject"))
		}
	}

	// The line of a request is written after its response.
	gatewaytest.Eventually(t, "an upstream in the log", func() bool { return strings.Contains(s.Logs.String(), `"upstream":"`) })
}

// Once, the second output of a plugin for the same file was dropped with only a warning, and a service without routes has no register
// function to call.
func TestHazard21TableHoldsEveryServiceWithRoutes(t *testing.T) {
	t.Parallel()

	names := map[string]bool{}

	for _, service := range gen.Services() {
		names[service.Name] = true

		if len(service.Routes) == 0 {
			t.Errorf("%s is in the table without routes", service.Name)
		}
	}

	for _, want := range []string{"user", "order", "profile", "payment", "notification", "dashboard"} {
		if !names[want+".v1."+strings.ToUpper(want[:1])+want[1:]+"Service"] {
			t.Errorf("the table has no service of %s: %v", want, names)
		}
	}

	text, err := os.ReadFile("../../../buf.gen.yaml")
	if err != nil {
		t.Fatal(err)
	}

	if _, after, _ := strings.Cut(string(text), "protoc-gen-portico]"); !strings.Contains(after, "strategy: all") {
		t.Error("protoc-gen-portico writes one file for all, so buf.gen.yaml needs strategy: all for it")
	}

	// A service without routes can be named; there is just nothing to serve.
	_, err = bff.Compile(config.Config{Auth: config.Auth{Disabled: true}},
		bff.WithServices(bff.Service{Name: "shelf.v1.IndexService", Upstream: "shelf"}))
	if err != nil {
		t.Errorf("a service without routes: %v", err)
	}
}
