package composite_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/composite"
	dashboardv1 "github.com/portico-gateway/portico/gen/dashboard/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// A page needs its user, and is sent without the orders if they cannot be had. The profile is fetched for what the user says.
func ExampleRun() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()

	page := &dashboardv1.Dashboard{}

	user := composite.Required("user", func(context.Context) error {
		page.User = &userv1.User{UserId: "usr_ada", DisplayName: "Ada"}

		return nil
	})
	orders := composite.Optional("orders", func(context.Context) error {
		return errors.New("dial tcp 10.0.0.7:443: connection refused")
	}).Within(100 * time.Millisecond)
	profile := composite.Optional("profile", func(context.Context) error {
		page.Profile = &profilev1.Profile{UserId: page.GetUser().GetUserId()}

		return nil
	}).After(user)

	if err := composite.Run(ctx, page, user, orders, profile); err != nil {
		fmt.Println("no page:", err)

		return
	}

	fmt.Println(page.GetUser().GetDisplayName(), page.GetProfile().GetUserId())

	for _, missing := range page.GetPartialErrors() {
		fmt.Println("without", missing.GetPart(), missing.GetCode(), missing.GetMessage())
	}

	// Output:
	// Ada usr_ada
	// without orders INTERNAL something went wrong on our side
}

// The reply becomes a field of the page as it comes. The gateway writes JSON from there; to read it in Go, decode the page.
func ExampleForward() {
	// In a composite, this is a method of a generated client.
	getUser := func(_ context.Context, req *userv1.GetUserRequest, _ ...grpc.CallOption) (*userv1.User, error) {
		return &userv1.User{UserId: req.GetUserId(), DisplayName: "Ada"}, nil
	}

	page := &dashboardv1.Dashboard{}

	err := composite.Run(context.Background(), page,
		composite.Required("user", composite.Forward(getUser, &userv1.GetUserRequest{UserId: "usr_ada"})))
	fmt.Println(page.GetUser(), err)

	err = composite.Decode(page)
	fmt.Println(page.GetUser().GetDisplayName(), err)

	// Output:
	// <nil> <nil>
	// Ada <nil>
}

// A page that belongs to the caller is for callers with credentials.
func ExampleCaller() {
	page := func(ctx context.Context) error {
		caller := composite.Caller(ctx)
		if caller.Anonymous() {
			return status.Error(codes.Unauthenticated, "no caller")
		}

		fmt.Println("the page of", caller.Subject)

		return nil
	}

	fmt.Println(page(context.Background()))
	// Output: rpc error: code = Unauthenticated desc = no caller
}

// A list of calls, two at a time.
func ExampleEach() {
	ids := []string{"ord_1", "ord_2", "ord_3"}
	orders := make([]*orderv1.Order, len(ids))

	err := composite.Each(context.Background(), ids, 2, func(_ context.Context, i int, id string) error {
		orders[i] = &orderv1.Order{OrderId: id}

		return nil
	})

	fmt.Println(len(orders), orders[2].GetOrderId(), err)
	// Output: 3 ord_3 <nil>
}
