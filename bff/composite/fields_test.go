package composite_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
)

// serving is how a server knows the method that it serves.
type serving string

func (s serving) Method() string             { return string(s) }
func (serving) SetHeader(metadata.MD) error  { return nil }
func (serving) SendHeader(metadata.MD) error { return nil }
func (serving) SetTrailer(metadata.MD) error { return nil }

// asking is the context of a composite whose client asks for these fields of the dashboard.
func asking(ctx context.Context, fields ...string) context.Context {
	return askingOf(ctx, "dashboard.v1.Dashboard", fields...)
}

func askingOf(ctx context.Context, message string, fields ...string) context.Context {
	const method = dashboardv1.DashboardService_GetDashboard_FullMethodName

	rec := &reqinfo.Record{RPC: method, Selection: &reqinfo.Selection{Message: message, Fields: fields}}

	return grpc.NewContextWithServerTransportStream(reqinfo.NewContext(ctx, rec), serving(method))
}

// ran are the names of branches that have run.
type ran struct {
	mu    sync.Mutex
	names []string
}

func (r *ran) branch(name string) *composite.Branch {
	return composite.Required(name, func(context.Context) error {
		r.mu.Lock()
		defer r.mu.Unlock()

		r.names = append(r.names, name)

		return nil
	})
}

func (r *ran) String() string { return strings.Join(slices.Sorted(slices.Values(r.names)), ",") }

// What nobody asks for is not called, whether it is required or not.
func TestBranchesThatNobodyAsksFor(t *testing.T) {
	t.Parallel()

	never := func(context.Context) error { panic("ran") }

	for _, row := range []struct {
		name string
		ctx  context.Context //nolint:containedctx // It is what differs.
		want string
	}{
		{"all", t.Context(), "orders,profile,user"},
		{"one", asking(t.Context(), "user"), "user"},
		{"those_it_comes_after", asking(t.Context(), "profile"), "orders,profile,user"},
		{"none", asking(t.Context()), ""},
		{"another_page", askingOf(t.Context(), "order.v1.Order", "user"), "orders,profile,user"},
		{
			"called_by_another_composite",
			grpc.NewContextWithServerTransportStream(asking(t.Context(), "user"), serving("/other.v1.Other/Get")),
			"orders,profile,user",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			var all ran

			user := all.branch("user")
			orders := all.branch("orders").After(user)
			branches := []*composite.Branch{user, orders, all.branch("profile").After(orders)}

			if err := composite.Run(row.ctx, &dashboardv1.Dashboard{}, branches...); err != nil {
				t.Fatal(err)
			}

			if all.String() != row.want {
				t.Errorf("ran %s", &all)
			}
		})
	}

	page := &dashboardv1.Dashboard{}
	if err := composite.Run(asking(t.Context(), "user"), page, composite.Optional("orders", never), composite.Required("profile", never)); err != nil {
		t.Error(err)
	}

	if len(page.GetPartialErrors()) > 0 {
		t.Errorf("missing: %v", page.GetPartialErrors())
	}
}

// A page that is a part of another is filled completely, even if it is of the same type.
func TestPartsOfAPageAreFilledCompletely(t *testing.T) {
	t.Parallel()

	var all ran

	err := composite.Run(asking(t.Context(), "user"), &dashboardv1.Dashboard{},
		composite.Required("user", func(ctx context.Context) error {
			return composite.Run(ctx, &dashboardv1.Dashboard{}, all.branch("orders"), all.branch("profile"))
		}))
	if err != nil || all.String() != "orders,profile" {
		t.Errorf("ran %s, %v", &all, err)
	}
}

// A mistake in a composite does not depend on what a client asks for.
func TestMisuseWithFields(t *testing.T) {
	t.Parallel()

	fine := func(context.Context) error { return nil }
	later := composite.Required("profile", fine)

	for name, branches := range map[string][]*composite.Branch{
		"twice":   {composite.Required("orders", fine), composite.Required("orders", fine)},
		"unknown": {composite.Required("orders", fine).After(later)},
	} {
		if err := composite.Run(asking(t.Context(), "user"), &dashboardv1.Dashboard{}, branches...); err == nil || errors.Is(err, errBroken) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
