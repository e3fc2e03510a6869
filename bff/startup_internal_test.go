package bff

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg"
	"github.com/portico-gateway/portico/bff/internal/policy"
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

func TestStartUpDoesNotWaitForComposites(t *testing.T) {
	t.Parallel()

	for name, build := range map[string]func(release chan struct{}) dashboardv1.DashboardServiceServer{
		"method": func(release chan struct{}) dashboardv1.DashboardServiceServer { return deafDashboard{release: release} },
		"constructor": func(release chan struct{}) dashboardv1.DashboardServiceServer {
			<-release

			return dashboardv1.UnimplementedDashboardServiceServer{}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer close(release)

				compiled, err := Compile(config.Config{}, WithServices(gen.Services()...),
					WithComposite(dashboardv1.RegisterDashboardServiceServer, func(Connect) (dashboardv1.DashboardServiceServer, error) {
						return build(release), nil
					}))
				if err != nil {
					t.Fatal(err)
				}

				start := time.Now()
				compiled.warnOfLegs(t.Context(), backends{legs: leg.New(leg.Config{Methods: compiled.methods})}, slog.New(slog.DiscardHandler))

				if took := time.Since(start); took != probeTime {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}

func TestStartUpSurvivesAConstructorThatPanics(t *testing.T) {
	t.Parallel()

	compiled, err := Compile(config.Config{}, WithServices(gen.Services()...),
		WithComposite(dashboardv1.RegisterDashboardServiceServer, func(Connect) (dashboardv1.DashboardServiceServer, error) {
			panic("a metric of that name is registered")
		}))
	if err != nil {
		t.Fatal(err)
	}

	var log strings.Builder

	compiled.warnOfLegs(t.Context(), backends{legs: leg.New(leg.Config{Methods: compiled.methods})}, slog.New(slog.NewJSONHandler(&log, nil)))

	if !strings.Contains(log.String(), `"level":"WARN","msg":"the calls of composites are not compared with the access policies`+
		` of their routes","error":"make the composites: panic: a metric of that name is registered"`) {
		t.Errorf("%s", log.String())
	}
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
