package bff_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/gen"
)

func TestExplain(t *testing.T) {
	t.Parallel()

	for _, row := range []struct {
		name, method, target, body string
		as                         bff.Caller
		rpc                        string
		variables                  map[string]string
		// verdicts are "+demand" or "-demand".
		verdicts []string
		status   int
	}{
		{
			name: "owner", method: http.MethodGet, target: "/v1/users/alice/orders", as: bff.Caller{Subject: "alice"},
			rpc: "order.v1.OrderService/ListOrders", variables: map[string]string{"user_id": "alice"},
			verdicts: []string{"+authenticated", "+owner user_id or orders:admin"},
		},
		{
			name: "another", method: http.MethodGet, target: "/v1/users/alice/orders", as: bff.Caller{Subject: "bob"},
			rpc: "order.v1.OrderService/ListOrders", variables: map[string]string{"user_id": "alice"},
			verdicts: []string{"+authenticated", "-owner user_id or orders:admin"},
		},
		{
			name: "nobody", method: http.MethodGet, target: "/v1/users/%61lice", rpc: "user.v1.UserService/GetUser",
			variables: map[string]string{"user_id": "alice"},
			verdicts:  []string{"-authenticated", "-owner user_id or users:admin"},
		},
		{
			name: "composite", method: http.MethodGet, target: "/v1/me/dashboard", as: bff.Caller{Subject: "alice"},
			rpc: "dashboard.v1.DashboardService/GetMyDashboard", variables: map[string]string{}, verdicts: []string{"+authenticated"},
		},
		{
			name: "stream", method: http.MethodGet, target: "/v1/orders/o1:watch", as: bff.Caller{Subject: "alice"},
			rpc: "order.v1.OrderService/WatchOrder", variables: map[string]string{"order_id": "o1"}, verdicts: []string{"+authenticated"},
		},
		{name: "no_route", method: http.MethodGet, target: "/v1/nowhere", status: http.StatusNotFound},
		{name: "no_method", method: http.MethodPut, target: "/v1/users/alice", status: http.StatusMethodNotAllowed},
		{
			name: "body_that_is_wrong", method: http.MethodPost, target: "/v1/orders", body: `{"colour":"red"}`,
			as: bff.Caller{Subject: "alice"}, rpc: "order.v1.OrderService/CreateOrder", variables: map[string]string{},
			verdicts: []string{"+authenticated", "-if"}, status: http.StatusBadRequest,
		},
		{
			name: "condition_on_the_body", method: http.MethodPost, target: "/v1/orders", body: `{"userId":"bob"}`,
			as: bff.Caller{Subject: "alice"}, rpc: "order.v1.OrderService/CreateOrder", variables: map[string]string{},
			verdicts: []string{"+authenticated", "-if"},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			r := httptest.NewRequestWithContext(t.Context(), row.method, row.target, strings.NewReader(row.body))

			got, err := bff.Explain(t.Context(), config.Config{}, r, row.as, bff.WithServices(gen.Services()...))
			if err != nil {
				t.Fatal(err)
			}

			rpc := ""
			if got.Route != nil {
				rpc = got.Route.RPC
			}

			var verdicts []string

			for _, v := range got.Verdicts {
				demand, _, _ := strings.Cut(v.Demand, " request.")
				if v.Fault == nil {
					verdicts = append(verdicts, "+"+demand)
				} else {
					verdicts = append(verdicts, "-"+demand)
				}
			}

			if rpc != row.rpc || got.Status != row.status {
				t.Errorf("rpc %q, status %d %s", rpc, got.Status, got.Answer)
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
