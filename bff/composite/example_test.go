package composite_test

import (
	"context"
	"errors"
	"fmt"
	"time"

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
