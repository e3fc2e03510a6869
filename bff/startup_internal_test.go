package bff

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/upstream/inproc"
	"github.com/portico-gateway/portico/gen"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// deafDashboard does not notice that its context has ended.
type deafDashboard struct {
	dashboardv1.UnimplementedDashboardServiceServer

	release chan struct{}
}

func (d deafDashboard) GetMyDashboard(context.Context, *dashboardv1.GetMyDashboardRequest) (*dashboardv1.Dashboard, error) {
	<-d.release

	return &dashboardv1.Dashboard{}, nil
}

func TestStartUpDoesNotWaitForAHangingComposite(t *testing.T) {
	t.Parallel()

	compiled, err := Compile(config.Config{}, WithServices(gen.Services()...),
		WithComposite(dashboardv1.RegisterDashboardServiceServer, func(Connect) (dashboardv1.DashboardServiceServer, error) {
			return dashboardv1.UnimplementedDashboardServiceServer{}, nil
		}))
	if err != nil {
		t.Fatal(err)
	}

	synctest.Test(t, func(t *testing.T) {
		d := deafDashboard{release: make(chan struct{})}
		defer close(d.release)

		b := backends{composites: inproc.New(inproc.Config{}), legs: leg.New(leg.Config{Methods: compiled.methods})}
		dashboardv1.RegisterDashboardServiceServer(b.composites, d)

		start := time.Now()
		compiled.warnOfLegs(t.Context(), b, slog.New(slog.DiscardHandler))

		if took := time.Since(start); took != probeTime {
			t.Errorf("it took %s", took)
		}
	})
}

func TestLeastCallers(t *testing.T) {
	t.Parallel()

	for name, row := range map[string]struct {
		access *porticov1.Access
		cache  *policy.Cache
		want   []string
	}{
		"public":        {&porticov1.Access{Public: true}, nil, []string{"anonymous"}},
		"authenticated": {&porticov1.Access{Authenticated: true}, nil, []string{"authenticated"}},
		"owner":         {&porticov1.Access{Owner: &porticov1.Owner{Variable: "user_id", UnlessScope: "admin"}}, nil, []string{"owner user_id"}},
		"scopes_and_roles": {
			&porticov1.Access{
				Scopes: &porticov1.Scopes{AnyOf: []string{"a", "b"}, AllOf: []string{"c"}}, Roles: &porticov1.Roles{AnyOf: []string{"r", "s"}},
			}, nil,
			[]string{"scopes c a, roles r", "scopes c a, roles s", "scopes c b, roles r", "scopes c b, roles s"},
		},
		// A response for all callers is fetched for none of them.
		"cached_for_all": {&porticov1.Access{Authenticated: true}, &policy.Cache{Public: true}, []string{"anonymous"}},
	} {
		route := gateway.Route{Endpoint: policy.Endpoint{
			Policy: policy.Policy{Effective: &porticov1.MethodPolicy{Access: row.access}, Cache: row.cache},
		}}

		var got []string

		for _, caller := range leastCallers(route) {
			got = append(got, caller.name)

			if caller.Anonymous() != (caller.name == "anonymous") {
				t.Errorf("%s: %+v", name, caller)
			}
		}

		if diff := cmp.Diff(row.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
