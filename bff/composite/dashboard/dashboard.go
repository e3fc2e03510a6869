// Package dashboard implements dashboard.v1: what a client shows first, put together from user, order and profile at once.
package dashboard

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/composite"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

const (
	defaultOrders = 10
	maxOrders     = 50
)

type service struct {
	dashboardv1.UnimplementedDashboardServiceServer

	users    userv1.UserServiceClient
	orders   orderv1.OrderServiceClient
	profiles profilev1.ProfileServiceClient
}

// New returns the service over connections to the upstreams user, order and profile. It is safe for concurrent use.
func New(connect func(upstream string) (grpc.ClientConnInterface, error)) (dashboardv1.DashboardServiceServer, error) {
	user, userErr := connect("user")
	order, orderErr := connect("order")
	profile, profileErr := connect("profile")

	if err := errors.Join(userErr, orderErr, profileErr); err != nil {
		return nil, fmt.Errorf("dashboard: %w", err)
	}

	return &service{
		users:    userv1.NewUserServiceClient(user),
		orders:   orderv1.NewOrderServiceClient(order),
		profiles: profilev1.NewProfileServiceClient(profile),
	}, nil
}

// GetMyDashboard returns the caller's own.
func (s *service) GetMyDashboard(
	ctx context.Context, req *dashboardv1.GetMyDashboardRequest,
) (*dashboardv1.Dashboard, error) {
	caller := composite.Caller(ctx)
	if caller.Anonymous() {
		return nil, status.Error(codes.Unauthenticated, "no caller")
	}

	return s.dashboard(ctx, caller.Subject, req.GetOrderCount())
}

// GetDashboard returns a named user's.
func (s *service) GetDashboard(
	ctx context.Context, req *dashboardv1.GetDashboardRequest,
) (*dashboardv1.Dashboard, error) {
	return s.dashboard(ctx, req.GetUserId(), req.GetOrderCount())
}

func (s *service) dashboard(ctx context.Context, userID string, orderCount int32) (*dashboardv1.Dashboard, error) {
	switch {
	case orderCount == 0:
		orderCount = defaultOrders
	case orderCount < 0 || orderCount > maxOrders:
		return nil, invalidOrderCount(orderCount)
	}

	page := &dashboardv1.Dashboard{}

	return page, composite.Run(ctx, page,
		composite.Required("user", composite.Forward(s.users.GetUser, &userv1.GetUserRequest{UserId: userID})),
		composite.Optional("orders", composite.Forward(s.orders.ListOrders,
			&orderv1.ListOrdersRequest{UserId: userID, PageSize: orderCount})),
		composite.Optional("profile", composite.Forward(s.profiles.GetProfile, &profilev1.GetProfileRequest{UserId: userID})),
	)
}

func invalidOrderCount(got int32) error {
	st := status.New(codes.InvalidArgument, "the request has an invalid field")

	detailed, err := st.WithDetails(&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{
		Field:       "order_count",
		Description: fmt.Sprintf("must be between 0 and %d, not %d", maxOrders, got),
	}}})
	if err != nil {
		return st.Err()
	}

	return detailed.Err()
}
