package main

import (
	"context"
	"errors"
	"fmt"

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
func vanilla(backend string) (peer, error) {
	mux, err := vanillaMux(backend, "vanilla")

	return plainly(mux), err
}

// vanillaMux has the generated handlers. It has a connection for each service, as Portico has, and an authority for all its calls.
func vanillaMux(backend, authority string, options ...runtime.ServeMuxOption) (*runtime.ServeMux, error) {
	user, order, profile, err := connect(backend, grpc.WithAuthority(authority))
	if err != nil {
		return nil, err
	}

	ctx := context.Background()
	mux := runtime.NewServeMux(options...)

	return mux, errors.Join(
		userv1.RegisterUserServiceHandler(ctx, mux, user),
		orderv1.RegisterOrderServiceHandler(ctx, mux, order),
		profilev1.RegisterProfileServiceHandler(ctx, mux, profile),
		dashboardv1.RegisterDashboardServiceHandlerClient(ctx, mux, dashboards{
			users:    userv1.NewUserServiceClient(user),
			orders:   orderv1.NewOrderServiceClient(order),
			profiles: profilev1.NewProfileServiceClient(profile),
		}),
	)
}

// connect returns a connection for each of the services. They are never closed.
func connect(backend string, options ...grpc.DialOption) (user, order, profile *grpc.ClientConn, err error) {
	var faults [3]error

	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	for i, conn := range []**grpc.ClientConn{&user, &order, &profile} {
		*conn, faults[i] = grpc.NewClient(backend, options...)
	}

	if err := errors.Join(faults[:]...); err != nil {
		return nil, nil, nil, fmt.Errorf("dial: %w", err)
	}

	return user, order, profile, nil
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
