package embedding_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite/dashboard"
	"github.com/portico-gateway/portico/bff/composite/orderpage"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func TestExplain(t *testing.T) {
	t.Parallel()

	// One for all, at the same time.
	compiled := gatewaytest.Compile(t, config.Config{}, bff.WithServices(gen.Services()...))

	for _, row := range []struct {
		name, method, target, body string
		as                         bff.Principal
		rpc                        string
		variables                  map[string]string
		// verdicts are "+demand" or "-demand".
		verdicts []string
		status   int
	}{
		{
			name: "owner", method: http.MethodGet, target: "/v1/users/alice/orders", as: bff.Principal{Subject: "alice"},
			rpc: "order.v1.OrderService/ListOrders", variables: map[string]string{"user_id": "alice"},
			verdicts: []string{"+authenticated", "+owner user_id or orders:admin"},
		},
		{
			name: "another", method: http.MethodGet, target: "/v1/users/alice/orders", as: bff.Principal{Subject: "bob"},
			rpc: "order.v1.OrderService/ListOrders", variables: map[string]string{"user_id": "alice"},
			verdicts: []string{"+authenticated", "-owner user_id or orders:admin"},
		},
		{
			name: "nobody", method: http.MethodGet, target: "/v1/users/%61lice", rpc: "user.v1.UserService/GetUser",
			variables: map[string]string{"user_id": "alice"},
			verdicts:  []string{"-authenticated", "-owner user_id or users:admin"},
		},
		{
			name: "composite", method: http.MethodGet, target: "/v1/me/dashboard", as: bff.Principal{Subject: "alice"},
			rpc: "dashboard.v1.DashboardService/GetMyDashboard", variables: map[string]string{}, verdicts: []string{"+authenticated"},
		},
		{
			name: "stream", method: http.MethodGet, target: "/v1/orders/o1:watch", as: bff.Principal{Subject: "alice"},
			rpc: "order.v1.OrderService/WatchOrder", variables: map[string]string{"order_id": "o1"}, verdicts: []string{"+authenticated"},
		},
		{name: "no_route", method: http.MethodGet, target: "/v1/nowhere", status: http.StatusNotFound},
		{name: "no_method", method: http.MethodPut, target: "/v1/users/alice", status: http.StatusMethodNotAllowed},
		{
			name: "body_that_is_wrong", method: http.MethodPost, target: "/v1/orders", body: `{"colour":"red"}`,
			as: bff.Principal{Subject: "alice"}, rpc: "order.v1.OrderService/CreateOrder", variables: map[string]string{},
			verdicts: []string{"+authenticated", "-if"}, status: http.StatusBadRequest,
		},
		{
			name: "condition_on_the_body", method: http.MethodPost, target: "/v1/orders", body: `{"userId":"bob"}`,
			as: bff.Principal{Subject: "alice"}, rpc: "order.v1.OrderService/CreateOrder", variables: map[string]string{},
			verdicts: []string{"+authenticated", "-if"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequestWithContext(t.Context(), row.method, row.target, strings.NewReader(row.body))

			got, err := compiled.Explain(t.Context(), r, row.as)
			if err != nil {
				t.Fatal(err)
			}

			rpc := ""
			if got.Route != nil {
				rpc = got.Route.RPC
			}

			var verdicts []string

			for _, v := range got.Access {
				demand, _, _ := strings.Cut(v.Requirement, " request.")
				if v.Fault == nil {
					verdicts = append(verdicts, "+"+demand)
				} else {
					verdicts = append(verdicts, "-"+demand)
				}
			}

			// Once, a request that is refused had a response with 200.
			if slices.ContainsFunc(got.Effects, func(e bff.Effect) bool { return e.Policy == "response" }) != got.Allowed() {
				t.Errorf("allowed %t, and %v", got.Allowed(), got.Effects)
			}

			if rpc != row.rpc || got.Status != row.status {
				t.Errorf("rpc %q, status %d %s", rpc, got.Status, got.Problem)
			}

			if diff := cmp.Diff(row.variables, got.Variables); diff != "" {
				t.Error(diff)
			}

			if diff := cmp.Diff(row.verdicts, verdicts); diff != "" {
				t.Error(diff)
			}

			if allowed := !strings.Contains(strings.Join(verdicts, ""), "-") && row.status == 0; got.Allowed() != allowed {
				t.Errorf("Allowed() is %t", got.Allowed())
			}
		})
	}
}

// What a composite calls is found out, and which of its calls it can do without.
func TestExplainLegs(t *testing.T) {
	t.Parallel()

	compiled := gatewaytest.Compile(t, config.Config{Upstreams: map[string]config.Upstream{
		"order": {Addresses: []string{"a:1", "b:1"}}, "user": {Target: "dns:///c:1"},
	}}, bff.WithServices(gen.Services()...), bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, dashboard.New))
	explain := func(target string) bff.Explanation {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)

		got, err := compiled.Explain(t.Context(), r, bff.Principal{})
		if err != nil {
			t.Fatal(err)
		}

		return got
	}

	want := []bff.Leg{
		{Upstream: "order", RPC: "order.v1.OrderService/ListOrders"},
		{Upstream: "profile", RPC: "profile.v1.ProfileService/GetProfile"},
		{Upstream: "user", RPC: "user.v1.UserService/GetUser", Required: true},
	}
	for _, target := range []string{"/v1/me/dashboard", "/v1/users/alice/dashboard"} {
		got := explain(target)
		if diff := cmp.Diff(want, got.Legs, cmpopts.IgnoreFields(bff.Leg{}, "Access", "Cache")); diff != "" || !got.Route.Composite || got.LegsErr != nil {
			t.Errorf("%s: %v %s", target, got.LegsErr, diff)
		}
	}

	got := explain("/v1/me/dashboard?fields=user.displayName")
	if diff := cmp.Diff(want[2:], got.Legs, cmpopts.IgnoreFields(bff.Leg{}, "Access", "Cache")); diff != "" || !slices.Contains(got.Effects, bff.Effect{Policy: "fields", Says: "only user.displayName"}) {
		t.Errorf("some fields: %s %v", diff, got.Effects)
	}

	if got := explain("/v1/me/dashboard?orderCount=1000"); got.Legs != nil || got.LegsErr == nil || got.Allowed() {
		t.Errorf("too many orders: %v, %v", got.Legs, got.LegsErr)
	}

	if got := explain("/v1/orders/o1"); got.Route.Upstream != "order" || !slices.Equal(got.Addresses, []string{"a:1", "b:1"}) {
		t.Errorf("%+v", got)
	}

	if got := explain("/v1/users/alice"); !slices.Equal(got.Addresses, []string{"dns:///c:1"}) {
		t.Errorf("%+v", got)
	}
}

// Calls that a composite makes because of what is in a reply are found as well, with what becomes one call.
func TestExplainLegsThatDependOnReplies(t *testing.T) {
	t.Parallel()

	compiled := gatewaytest.Compile(t, config.Config{}, bff.WithServices(gen.Services()...),
		bff.WithComposite(orderpagev1.RegisterOrderPageServiceServer, orderpage.New))

	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/orders/o1/page", http.NoBody)

	got, err := compiled.Explain(t.Context(), r, bff.Principal{Subject: "alice"})
	if err != nil || got.LegsErr != nil || !got.Allowed() {
		t.Fatal(got.LegsErr, err)
	}

	want := []bff.Leg{
		{Upstream: "notification", RPC: "notification.v1.NotificationService/ListNotifications"},
		{Upstream: "order", RPC: "order.v1.OrderService/GetOrder", Required: true},
		{Upstream: "payment", RPC: "payment.v1.PaymentService/GetPayment", Batch: "composites call BatchGetPayments for many items at once"},
		{Upstream: "profile", RPC: "profile.v1.ProfileService/GetProfile"},
	}
	if diff := cmp.Diff(want, got.Legs, cmpopts.IgnoreFields(bff.Leg{}, "Access", "Cache")); diff != "" {
		t.Error(diff)
	}

	if access := signed(got.Legs[3].Access); access != "+authenticated ?owner user_id or users:admin" {
		t.Errorf("the owner is that of the order: %s", access)
	}
}

// strict is a composite that fails with what no backend replies.
type strict struct {
	dashboardv1.UnimplementedDashboardServiceServer

	users userv1.UserServiceClient
}

func (s strict) GetMyDashboard(ctx context.Context, _ *dashboardv1.GetMyDashboardRequest) (*dashboardv1.Dashboard, error) {
	user, err := s.users.GetUser(ctx, &userv1.GetUserRequest{UserId: "alice"})
	if err != nil {
		return nil, err
	}

	if user.GetDisplayName() != "Alice" {
		panic("it is another")
	}

	return &dashboardv1.Dashboard{User: user}, nil
}

// What is known is told, and that there may be more.
func TestExplainCompositeThatFails(t *testing.T) {
	t.Parallel()

	compiled := gatewaytest.Compile(t, config.Config{}, bff.WithServices(gen.Services()...),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, func(connect bff.Connect) (dashboardv1.DashboardServiceServer, error) {
			conn, err := connect("user")

			return strict{users: userv1.NewUserServiceClient(conn)}, err
		}))

	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/me/dashboard", http.NoBody)

	got, err := compiled.Explain(t.Context(), r, bff.Principal{Subject: "alice"})
	if err != nil || len(got.Legs) != 1 || got.Legs[0].Required || got.LegsErr == nil || !strings.Contains(got.LegsErr.Error(), "panicked") {
		t.Errorf("%v %v, %v", got.Legs, got.LegsErr, err)
	}
}

// The policy of each leg is told, and whether the caller meets it.
func TestExplainPolicyOfLegs(t *testing.T) {
	t.Parallel()

	cfg := config.Config{}
	gatewaytest.SetPolicy(&cfg, "user.v1.UserService.GetUser", gatewaytest.Object{"rate_limits": []any{
		gatewaytest.Object{"requests": 5}, gatewaytest.Object{"requests": 7, "legs": true},
	}})

	compiled := gatewaytest.Compile(t, cfg, bff.WithServices(gen.Services()...),
		bff.WithComposite(dashboardv1.RegisterDashboardServiceServer, dashboard.New))

	for _, row := range []struct {
		as                   bff.Principal
		orders, user         string
		allowed, requiredLeg bool
	}{
		{
			bff.Principal{Subject: "alice"},
			"+authenticated +owner user_id or orders:admin",
			"+authenticated +owner user_id or users:admin", true, false,
		},
		{
			bff.Principal{Subject: "staff", Scopes: []string{"users:admin"}},
			"+authenticated -owner user_id or orders:admin",
			"+authenticated +owner user_id or users:admin", true, false,
		},
		{bff.Principal{}, "-authenticated -owner user_id or orders:admin", "-authenticated -owner user_id or users:admin", false, true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/users/alice/dashboard", http.NoBody)

		got, err := compiled.Explain(t.Context(), r, row.as)
		if err != nil || len(got.Legs) != 3 {
			t.Fatal(got.Legs, err)
		}

		for i, want := range map[int]string{0: row.orders, 2: row.user} {
			if diff := cmp.Diff(want, signed(got.Legs[i].Access)); diff != "" {
				t.Errorf("%v: %s: %s", row.as, got.Legs[i].RPC, diff)
			}
		}

		if limits := got.Legs[2].Limits; len(limits) != 1 || !strings.HasPrefix(limits[0], "7 requests a second") {
			t.Errorf("%q", limits)
		}

		if cache := got.Legs[1].Cache; !strings.HasPrefix(cache, "for 30s, for each caller") {
			t.Errorf("%q", cache)
		}

		if leg, refused := got.RefusedLeg(); refused != row.requiredLeg || got.Allowed() != row.allowed {
			t.Errorf("%v: refused %v; allowed %t", row.as, leg, got.Allowed())
		}
	}
}

// signed are requirements on one line: those that are met with a plus, those that depend on a reply with a question mark.
func signed(checks []bff.Check) string {
	var out []string

	for _, check := range checks {
		sign := "+"

		switch {
		case check.Fault != nil:
			sign = "-"
		case check.Unknown:
			sign = "?"
		}

		out = append(out, sign+check.Requirement)
	}

	return strings.Join(out, " ")
}

// Policies besides access refuse, too.
func TestExplainEffects(t *testing.T) {
	t.Parallel()

	client := config.Rate{Requests: 50, Burst: 5}
	compiled := gatewaytest.Compile(t, config.Config{Limits: config.Limits{Client: client}}, bff.WithServices(gen.Services()...))

	for _, row := range []struct {
		name, method, target, body string
		// policy is the one that refuses; empty: none does.
		policy string
	}{
		{"rules", http.MethodPost, "/v1/orders", `{}`, "rules"},
		{"page_size", http.MethodGet, "/v1/users/alice/orders?pageSize=-1", "", "rules"},
		{"body_size", http.MethodPost, "/v1/orders", strings.Repeat(" ", 1<<20+1), "body size"},
		{"nothing", http.MethodGet, "/v1/orders/o1", "", ""},
	} {
		r := httptest.NewRequestWithContext(t.Context(), row.method, row.target, strings.NewReader(row.body))

		got, err := compiled.Explain(t.Context(), r, bff.Principal{Subject: "alice"})
		if err != nil {
			t.Fatal(err)
		}

		// Once it was the larger one of burst and requests.
		if limit := got.Effects[0]; !strings.HasPrefix(limit.Says, "takes 1 of 5, which come back at 50 per 1s") {
			t.Errorf("%s: %+v", row.name, limit)
		}

		refusing := ""

		for _, effect := range got.Effects {
			if effect.Fault != nil {
				refusing = effect.Policy
			}
		}

		if refusing != row.policy || got.Allowed() != (row.policy == "") {
			t.Errorf("%s: refused by %q: %+v", row.name, refusing, got.Effects)
		}
	}
}
