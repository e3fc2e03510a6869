// Package composite is the kit for composites: services that are implemented inside the gateway, and put their responses together
// from those of several backends. A composite implements the server interface that protoc-gen-go-grpc generates, over generated
// clients, and is registered by bff.WithComposite. docs/composites.md is the guide.
//
// A page is the response message of such a method. Each of its parts is a field, which a branch fills. Run runs the branches at the
// same time. A required branch that fails cancels the others. An optional one that fails is missing: Run says so in the page, in
// the log, and to caches, which do not take a partial page for a complete one. A branch that needs what another one has fetched
// runs after it:
//
//	page := &orderpagev1.OrderPage{}
//
//	order := composite.Required("order", func(ctx context.Context) (err error) {
//		page.Order, err = s.orders.GetOrder(ctx, &orderv1.GetOrderRequest{OrderId: id})
//		return err
//	})
//	buyer := composite.Optional("buyer", func(ctx context.Context) (err error) {
//		page.Buyer, err = s.profiles.GetProfile(ctx, &profilev1.GetProfileRequest{UserId: page.GetOrder().GetUserId()})
//		return err
//	}).After(order)
//
//	return page, composite.Run(ctx, page, order, buyer)
//
// A reply that is only passed on need not be decoded: see Forward. Each makes calls for the items of a list.
//
// Calls are made with the context that a branch gets, which carries the caller and the deadline: that of the request, less 20 ms
// for the response. A panic in a branch is that branch's error instead of the end of the process. Nothing runs on after Run or Each
// has returned, and nothing is tried twice: retries belong to the connection to the upstream, which knows what may be repeated.
//
// Everything here also works outside of a gateway, as in a unit test: there, the caller is anonymous, all fields are asked for, and
// missing parts are only in the page.
package composite
