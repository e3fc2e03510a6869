package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/portico-gateway/portico/bench/internal/sample"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// vanilla is grpc-gateway as its documentation sets it up: the generated handlers on one mux with default options, and nothing
// else.
func vanilla(backend string) (http.Handler, error) {
	conn, err := grpc.NewClient(backend, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("vanilla"))
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}

	ctx := context.Background()
	mux := runtime.NewServeMux()

	return mux, errors.Join(
		userv1.RegisterUserServiceHandler(ctx, mux, conn),
		orderv1.RegisterOrderServiceHandler(ctx, mux, conn),
		profilev1.RegisterProfileServiceHandler(ctx, mux, conn),
		dashboardv1.RegisterDashboardServiceHandlerClient(ctx, mux, dashboards{
			users:    userv1.NewUserServiceClient(conn),
			orders:   orderv1.NewOrderServiceClient(conn),
			profiles: profilev1.NewProfileServiceClient(conn),
		}),
	)
}

// dashboards makes the three calls of a dashboard at once. It has no policies: the first failure is that of the whole.
type dashboards struct {
	users    userv1.UserServiceClient
	orders   orderv1.OrderServiceClient
	profiles profilev1.ProfileServiceClient
}

func (d dashboards) GetMyDashboard(
	ctx context.Context, req *dashboardv1.GetMyDashboardRequest, _ ...grpc.CallOption,
) (*dashboardv1.Dashboard, error) {
	return d.GetDashboard(ctx, &dashboardv1.GetDashboardRequest{UserId: sample.UserID, OrderCount: req.GetOrderCount()})
}

func (d dashboards) GetDashboard(
	ctx context.Context, req *dashboardv1.GetDashboardRequest, _ ...grpc.CallOption,
) (*dashboardv1.Dashboard, error) {
	answer := &dashboardv1.Dashboard{}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		answer.User, err = d.users.GetUser(ctx, &userv1.GetUserRequest{UserId: req.GetUserId()})

		return err
	})
	group.Go(func() error {
		list, err := d.orders.ListOrders(ctx, &orderv1.ListOrdersRequest{
			UserId: req.GetUserId(), PageSize: req.GetOrderCount(),
		})
		answer.Orders = list.GetOrders()

		return err
	})
	group.Go(func() (err error) {
		answer.Profile, err = d.profiles.GetProfile(ctx, &profilev1.GetProfileRequest{UserId: req.GetUserId()})

		return err
	})

	return answer, group.Wait()
}
