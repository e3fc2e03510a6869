// Package composite is the kit for composites: services that are implemented inside the gateway, whose messages are put together
// from those of several backends.
//
// Run makes the calls of a page at the same time, on errgroup. A required branch that fails cancels the others. An optional one
// that fails is missing: Run says so in the page, on the record of the request, and to caches, which do not take a partial page
// for a complete one. A branch that needs what another one has fetched runs after it:
//
//	order := composite.Required("order", func(ctx context.Context) (err error) {
//		page.Order, err = s.orders.GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: id})
//		return err
//	})
//	buyer := composite.Optional("buyer", func(ctx context.Context) (err error) {
//		page.Buyer, err = s.profiles.GetProfile(ctx, &profilev1.GetProfileRequest{UserId: page.Order.GetUserId()})
//		return err
//	}).After(order)
//
//	return page, composite.Run(ctx, page, order, buyer)
//
// A reply that is only passed on need not be decoded:
//
//	user := composite.Required("user", composite.Forward(s.users.GetUser, &userv1.GetUserRequest{UserId: id}))
//
// Every branch has a deadline that leaves time to respond, and a panic in a branch is that branch's error instead of the end of the
// process. Nothing runs on after Run has returned, and nothing is tried twice: retries belong to the connection to the upstream,
// which knows what may be repeated.
package composite
