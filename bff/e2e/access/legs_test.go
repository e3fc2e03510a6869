package access_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/composite/orderpage"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// page is a composite that calls what a test says.
type page struct {
	dashboardv1.UnimplementedDashboardServiceServer

	clients

	get getPage
}

// getPage fills a page by calls.
type getPage func(ctx context.Context, c clients, page *dashboardv1.Dashboard) error

// clients are those of a composite.
type clients struct {
	users    userv1.UserServiceClient
	orders   orderv1.OrderServiceClient
	profiles profilev1.ProfileServiceClient
}

func (p page) GetMyDashboard(ctx context.Context, _ *dashboardv1.GetMyDashboardRequest) (*dashboardv1.Dashboard, error) {
	answer := &dashboardv1.Dashboard{}

	return answer, p.get(ctx, p.clients, answer)
}

// startPage serves the product with another dashboard. The site's log is that of its gateway.
func startPage(t *testing.T, change func(*config.Config), get getPage) *gatewaytest.Site {
	t.Helper()

	var cfg config.Config

	s := gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.Patient(c)

		if change != nil {
			change(c)
		}

		cfg = *c
	})
	s.Logs = &gatewaytest.LogBuffer{}

	gw, err := gatewaytest.New(t.Context(), t, cfg, bff.WithServices(gen.Services()...),
		bff.WithLogger(slog.New(slog.NewJSONHandler(s.Logs, nil))),
		bff.WithComposite(orderpagev1.RegisterOrderPageServiceServer, orderpage.New),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, func(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
			user, userErr := connect("user")
			order, orderErr := connect("order")
			profile, profileErr := connect("profile")

			return page{get: get, clients: clients{
				userv1.NewUserServiceClient(user), orderv1.NewOrderServiceClient(order), profilev1.NewProfileServiceClient(profile),
			}}, errors.Join(userErr, orderErr, profileErr)
		}))
	if err != nil {
		t.Fatal(err)
	}

	s.Gateway, s.URL = gw, gatewaytest.Listen(t, gw)

	return s
}

// startDashboard serves another dashboard alone, which calls users. The function is called for each instance of it.
func startDashboard(t *testing.T, instance func() getPage) *gatewaytest.Site {
	t.Helper()

	var cfg config.Config

	s := gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.Patient(c)

		cfg = *c
	})

	gw, err := gatewaytest.New(t.Context(), t, cfg, gatewaytest.Quiet(),
		bff.WithServices(gatewaytest.Service(t, "dashboard.v1.DashboardService")),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, func(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
			conn, err := connect("user")

			return page{get: instance(), clients: clients{users: userv1.NewUserServiceClient(conn)}}, err
		}))
	if err != nil {
		t.Fatal(err)
	}

	s.Gateway, s.URL = gw, gatewaytest.Listen(t, gw)

	return s
}

// missing are the parts that a page lacks, with their codes.
func missing(t *testing.T, res gatewaytest.Response) map[string]code.Code {
	t.Helper()

	var answer dashboardv1.Dashboard
	if err := protojson.Unmarshal([]byte(res.Body), &answer); err != nil || res.Status != http.StatusOK {
		t.Fatalf("%d %s", res.Status, res.Body)
	}

	parts := map[string]code.Code{}
	for _, part := range answer.GetPartialErrors() {
		parts[part.GetPart()] = part.GetCode()
	}

	return parts
}

func called(s *gatewaytest.Site) []string {
	rpcs := gatewaytest.RPCs(s.TakeCalls())
	slices.Sort(rpcs)

	return rpcs
}

// The demo's staff may see users, and not their orders.
func TestLegThatIsRefusedIsAMissingPart(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	res := s.Do(t, http.MethodGet, "/v1/users/bob/dashboard", s.As(t, "staff", "users:admin"), "")
	if got := missing(t, res); len(got) != 1 || got["orders"] != code.Code_PERMISSION_DENIED {
		t.Errorf("%v", got)
	}

	if !strings.Contains(res.Body, "the caller may not act for this user") {
		t.Errorf("%s", res.Body)
	}

	// A busy machine lets calls be hedged.
	if got := slices.Compact(called(s)); len(got) != 2 || slices.Contains(got, "/order.v1.OrderService/ListOrders") {
		t.Errorf("called %v", got)
	}

	for target, header := range map[string]http.Header{
		"/v1/users/bob/dashboard": s.As(t, "staff", "users:admin", "orders:admin"), "/v1/me/dashboard": s.As(t, "bob"),
	} {
		if got := missing(t, s.Do(t, http.MethodGet, target, header, "")); len(got) > 0 {
			t.Errorf("%s lacks %v", target, got)
		}
	}
}

func TestRequiredLegThatIsRefusedRefusesTheRequest(t *testing.T) {
	t.Parallel()

	s := startPage(t, nil, func(ctx context.Context, c clients, page *dashboardv1.Dashboard) error {
		return composite.Run(ctx, page, composite.Required("user", func(ctx context.Context) (err error) {
			page.User, err = c.users.GetUser(ctx, &userv1.GetUserRequest{UserId: "bob"})

			return err
		}))
	})

	res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), "")
	if doc := res.Problem(t); res.Status != http.StatusForbidden || doc["detail"] != "the caller may not act for this user" {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	if got := called(s); len(got) > 0 {
		t.Errorf("called %v", got)
	}

	if log := s.Logs.String(); !strings.Contains(log, `branch user: PERMISSION_DENIED: the caller may not act for this user: subject is not the owner`) {
		t.Errorf("the log does not say why: %s", log)
	}

	if res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "bob"), ""); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// Conditions and rules are about what the composite sends, and streams are legs as well.
func TestLegsAreCheckedWithTheirRequests(t *testing.T) {
	t.Parallel()

	watch := func(orderID string) func(ctx context.Context, c clients) error {
		return func(ctx context.Context, c clients) error {
			stream, err := c.orders.WatchOrder(ctx, &orderv1.WatchOrderRequest{OrderId: orderID})
			if err != nil {
				return err
			}

			for {
				if _, err := stream.Recv(); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
			}
		}
	}
	create := func(userID string) func(ctx context.Context, c clients) error {
		return func(ctx context.Context, c clients) error {
			var order orderv1.CreateOrderRequest
			if err := protojson.Unmarshal([]byte(gatewaytest.OrderFor(userID)), &order); err != nil {
				return err
			}

			_, err := c.orders.CreateOrder(ctx, &order)

			return err
		}
	}

	for name, row := range map[string]struct {
		leg  func(ctx context.Context, c clients) error
		want code.Code
		// log is what the log says, and clients do not read.
		log string
	}{
		"condition":       {create("bob"), code.Code_PERMISSION_DENIED, "condition is false"},
		"condition_holds": {create("alice"), code.Code_OK, ""},
		"rules": {func(ctx context.Context, c clients) error {
			_, err := c.orders.ListOrders(ctx, &orderv1.ListOrdersRequest{UserId: "alice", PageSize: -1})

			return err
		}, code.Code_INVALID_ARGUMENT, "page_size"},
		"stream":            {watch("o1"), code.Code_OK, ""},
		"rules_of_a_stream": {watch(""), code.Code_INVALID_ARGUMENT, "order_id"},
		"scope": {func(ctx context.Context, c clients) error {
			_, err := c.users.ListUsers(ctx, &userv1.ListUsersRequest{})
			return err
		}, code.Code_PERMISSION_DENIED, "users:admin"},
		"method_with_no_route": {func(ctx context.Context, c clients) error {
			_, err := c.orders.MarkOrderPaid(ctx, &orderv1.MarkOrderPaidRequest{})
			return err
		}, code.Code_INVALID_ARGUMENT, "order_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := startPage(t, nil, func(ctx context.Context, c clients, page *dashboardv1.Dashboard) error {
				return composite.Run(ctx, page, composite.Optional("orders", func(ctx context.Context) error { return row.leg(ctx, c) }))
			})

			res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), "")
			if got := missing(t, res); got["orders"] != row.want {
				t.Errorf("%s", res.Body)
			}

			if got := called(s); len(got) > 0 != (row.want == code.Code_OK) {
				t.Errorf("called %v", got)
			}

			if row.log != "" && (!strings.Contains(s.Logs.String(), row.log) || strings.Contains(res.Body, row.log)) {
				t.Errorf("the client reads %s, the log says %s", res.Body, s.Logs.String())
			}
		})
	}
}

// readProfile is a page of the caller's profile.
func readProfile(ctx context.Context, c clients, page *dashboardv1.Dashboard) error {
	return composite.Run(ctx, page, composite.Optional("profile", func(ctx context.Context) (err error) {
		page.Profile, err = c.profiles.GetProfile(ctx, &profilev1.GetProfileRequest{UserId: composite.Caller(ctx).Subject})

		return err
	}))
}

// A leg takes from the bucket that requests take from, if the limit says so.
func TestLimitsThatCountLegs(t *testing.T) {
	t.Parallel()

	for _, legs := range []bool{true, false} {
		s := startPage(t, func(c *config.Config) {
			c.Cache.Disabled = true
			gatewaytest.SetPolicy(c, "profile.v1.ProfileService.GetProfile", gatewaytest.Object{"rate_limits": []any{
				gatewaytest.Object{"requests": 2, "per": "3600s", "legs": legs},
			}})
		}, readProfile)
		get := func(target string) gatewaytest.Response { return s.Do(t, http.MethodGet, target, s.As(t, "alice"), "") }

		if got := missing(t, get("/v1/me/dashboard")); len(got) > 0 {
			t.Fatalf("%v", got)
		}

		if res := get("/v1/users/alice/profile"); res.Status != http.StatusOK {
			t.Fatalf("%d %s", res.Status, res.Body)
		}

		s.TakeCalls()

		want := map[bool]code.Code{true: code.Code_RESOURCE_EXHAUSTED}[legs]
		if got := missing(t, get("/v1/me/dashboard")); got["profile"] != want {
			t.Errorf("legs %t: %v", legs, got)
		}

		if got := called(s); len(got) > 0 == legs {
			t.Errorf("legs %t: called %v", legs, got)
		}

		res := get("/v1/users/alice/profile")
		if refused := res.Status == http.StatusTooManyRequests; refused != legs {
			t.Errorf("legs %t: %d %s", legs, res.Status, res.Body)
		}
	}
}

// Calls are made again, and are not made while the breaker of the method is open, as for requests.
func TestLegsHaveRetryAndBreakerOfTheMethod(t *testing.T) {
	t.Parallel()

	s := startPage(t, func(c *config.Config) {
		gatewaytest.SetPolicy(c, "profile.v1.ProfileService.GetProfile", gatewaytest.Object{
			"retry":   gatewaytest.Object{"max_attempts": 2},
			"breaker": gatewaytest.Object{"min_requests": 2, "open_for": "3600s"},
		})
	}, readProfile)
	s.Fail["/profile.v1.ProfileService/GetProfile"] = status.Error(codes.Unavailable, "down")

	for i, want := range []int{2, 2, 0} {
		if got := missing(t, s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), "")); got["profile"] != code.Code_UNAVAILABLE {
			t.Errorf("%d: %v", i, got)
		}

		if got := called(s); len(got) != want {
			t.Errorf("%d: called %v", i, got)
		}
	}
}

// The timeout of the method bounds the leg, within that of the request.
func TestLegsHaveTheTimeoutOfTheMethod(t *testing.T) {
	t.Parallel()

	s := startPage(t, func(c *config.Config) {
		gatewaytest.SetPolicy(c, "profile.v1.ProfileService.GetProfile", gatewaytest.Object{"timeout": "20s"})
	}, readProfile)

	if got := missing(t, s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), "")); len(got) > 0 {
		t.Fatalf("%v", got)
	}

	if calls := s.TakeCalls(); len(calls) != 1 || calls[0].Left > 20*time.Second || calls[0].Left <= 0 {
		t.Errorf("%v", calls)
	}
}

// What the caller of a route may not call is told when the gateway starts.
func TestStartUpTellsOfLegsThatAreRefused(t *testing.T) {
	t.Parallel()

	s := startPage(t, nil, func(ctx context.Context, c clients, page *dashboardv1.Dashboard) error {
		return composite.Run(ctx, page,
			composite.Optional("user", func(ctx context.Context) error {
				_, err := c.users.ListUsers(ctx, &userv1.ListUsersRequest{})

				return err
			}),
			composite.Optional("orders", func(ctx context.Context) error {
				// A condition cannot be seen, nor whose an order is that a reply names.
				_, err := c.orders.CreateOrder(ctx, &orderv1.CreateOrderRequest{UserId: "bob"})

				return err
			}),
			composite.Optional("profile", func(ctx context.Context) error {
				list, err := c.orders.ListOrders(ctx, &orderv1.ListOrdersRequest{UserId: composite.Caller(ctx).Subject})
				if err != nil {
					return err
				}

				_, err = c.profiles.GetProfile(ctx, &profilev1.GetProfileRequest{UserId: list.GetNextPageToken()})

				return err
			}))
	})

	if got := called(s); len(got) > 0 {
		t.Errorf("a backend was called: %v", got)
	}

	log := s.Logs.String()
	if strings.Count(log, "a composite calls what") != 1 || !strings.Contains(log, `"level":"WARN"`) || !strings.Contains(log,
		`"route":"GET /v1/me/dashboard","leg":"user.v1.UserService.ListUsers","requires":"any of users:admin","caller":"authenticated"`) {
		t.Errorf("%s", log)
	}

	if log := gatewaytest.Start(t, nil).Logs.String(); strings.Contains(log, "composite") {
		t.Errorf("the demo: %s", log)
	}
}

// So is what a composite calls because of what is in a reply.
func TestStartUpTellsOfLegsThatDependOnReplies(t *testing.T) {
	t.Parallel()

	listUsers := func(ctx context.Context, c clients) error {
		_, err := c.users.ListUsers(ctx, &userv1.ListUsersRequest{})

		return err
	}

	for name, row := range map[string]struct {
		get  func(ctx context.Context, c clients) error
		want bool
	}{
		"each_of_a_list": {func(ctx context.Context, c clients) error {
			list, err := c.orders.ListOrders(ctx, &orderv1.ListOrdersRequest{UserId: composite.Caller(ctx).Subject})
			if err != nil {
				return err
			}

			return composite.Each(ctx, list.GetOrders(), 0, func(ctx context.Context, _ int, _ *orderv1.Order) error {
				return listUsers(ctx, c)
			})
		}, true},
		"if_the_reply_is_the_callers": {func(ctx context.Context, c clients) error {
			order, err := c.orders.GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: "o1"})
			if err != nil {
				return err
			}

			if order.GetOrderId() != "o1" || order.GetUserId() != composite.Caller(ctx).Subject {
				return status.Error(codes.NotFound, "no such order")
			}

			return listUsers(ctx, c)
		}, true},
		"if_there_is_nothing": {func(ctx context.Context, c clients) error {
			list, err := c.orders.ListOrders(ctx, &orderv1.ListOrdersRequest{UserId: composite.Caller(ctx).Subject})
			if err != nil || len(list.GetOrders()) > 0 {
				return err
			}

			return listUsers(ctx, c)
		}, true},
		"a_panic_without_content": {func(ctx context.Context, c clients) error {
			user, err := c.users.GetUser(ctx, &userv1.GetUserRequest{UserId: composite.Caller(ctx).Subject})
			if err != nil {
				return err
			}

			_ = user.GetDisplayName()[0]

			return listUsers(ctx, c)
		}, true},
		// Whose it is cannot be known.
		"owner_in_a_reply": {func(ctx context.Context, c clients) error {
			order, err := c.orders.GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: "o1"})
			if err != nil {
				return err
			}

			_, err = c.profiles.GetProfile(ctx, &profilev1.GetProfileRequest{UserId: order.GetUserId()})

			return err
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := startPage(t, nil, func(ctx context.Context, c clients, page *dashboardv1.Dashboard) error {
				return composite.Run(ctx, page, composite.Optional("user", func(ctx context.Context) error { return row.get(ctx, c) }))
			})

			if log := s.Logs.String(); strings.Contains(log, `"leg":"user.v1.UserService.ListUsers"`) != row.want ||
				strings.Contains(log, "a composite calls what") != row.want {
				t.Errorf("%s", log)
			}
		})
	}
}

// What a composite keeps of replies that were made up at start-up is never in a response.
func TestStartUpLeavesNothingInComposites(t *testing.T) {
	t.Parallel()

	s := startDashboard(t, func() getPage {
		// It has read the first user for all.
		var user atomic.Pointer[userv1.User]

		return func(ctx context.Context, c clients, page *dashboardv1.Dashboard) (err error) {
			if page.User = user.Load(); page.GetUser() == nil {
				page.User, err = c.users.GetUser(ctx, &userv1.GetUserRequest{UserId: composite.Caller(ctx).Subject})
				user.Store(page.GetUser())
			}

			return err
		}
	})

	if res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), ""); res.Status != http.StatusOK ||
		strings.Contains(res.Body, "made") || len(called(s)) != 1 {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// A composite that cannot do with an empty reply does not keep the gateway from starting.
func TestStartUpSurvivesPanics(t *testing.T) {
	t.Parallel()

	s := startPage(t, nil, func(ctx context.Context, _ clients, _ *dashboardv1.Dashboard) error {
		if composite.Caller(ctx).Subject != "alice" {
			panic("empty")
		}

		return nil
	})

	if res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), ""); res.Status != http.StatusOK {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

// Policies hold for services that the gateway does not serve itself.
func TestLegsToServicesWithoutRoutesHere(t *testing.T) {
	t.Parallel()

	s := startDashboard(t, func() getPage {
		return func(ctx context.Context, c clients, page *dashboardv1.Dashboard) (err error) {
			page.User, err = c.users.GetUser(ctx, &userv1.GetUserRequest{UserId: "bob"}, grpc.WaitForReady(false))

			return err
		}
	})

	for subject, want := range map[string]int{"alice": http.StatusForbidden, "bob": http.StatusOK} {
		if res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, subject), ""); res.Status != want {
			t.Errorf("%s: %d %s", subject, res.Status, res.Body)
		}
	}
}
