package fanout_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/portico-gateway/portico/bff/fanout"
)

// A page needs its user, and goes out without the orders if they do not come.
func ExampleRun() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()

	var user, orders string

	failures, err := fanout.Run(ctx, fanout.Options{},
		fanout.Required("user", 0, func(context.Context) error {
			user = "Ada"

			return nil
		}),
		fanout.Optional("orders", 100*time.Millisecond, func(context.Context) error {
			return errors.New("no orders today")
		}),
	)
	if err != nil {
		fmt.Println("no answer:", err)

		return
	}

	fmt.Printf("user %q, orders %q\n", user, orders)

	for _, f := range failures {
		fmt.Printf("without %s: %v\n", f.Branch, f.Err)
	}

	// Output:
	// user "Ada", orders ""
	// without orders: no orders today
}

// With a limit, branches wait for each other.
func ExampleOptions() {
	branch := func(name string) fanout.Branch {
		return fanout.Required(name, 0, func(context.Context) error {
			fmt.Println(name)

			return nil
		})
	}

	_, err := fanout.Run(context.Background(), fanout.Options{Limit: 1}, branch("first"), branch("second"))
	fmt.Println(err)

	// Output:
	// first
	// second
	// <nil>
}
