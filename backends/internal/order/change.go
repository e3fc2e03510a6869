package order

import (
	"context"
	"database/sql"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/notify"
	"github.com/portico-gateway/portico/backends/internal/peer"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// loader gives an order or the error that the client is to see.
type loader func(ctx context.Context, db sqlstore.Queryer, orderID string) (*orderv1.Order, error)

// find loads an order that the caller may see.
func (s *Service) find(ctx context.Context, db sqlstore.Queryer, orderID string) (*orderv1.Order, error) {
	who := caller.From(ctx)
	if err := who.Authenticated(); err != nil {
		return nil, err
	}

	o, err := load(ctx, db, orderID)
	if err != nil {
		return nil, err
	}

	if err := who.RequireOwner(o.GetUserId(), adminScope, "order"); err != nil {
		return nil, err
	}

	return o, nil
}

// change loads an order, lets apply give it another status, and stores it together with the record of the change. Apply reports
// whether it changed anything.
func (s *Service) change(
	ctx context.Context, orderID string, load loader, apply func(o *orderv1.Order) (bool, error),
) (*orderv1.Order, error) {
	var previous orderv1.OrderStatus

	o, changed, err := s.update(ctx, orderID, load, func(o *orderv1.Order) (bool, error) {
		previous = o.GetStatus()

		return apply(o)
	}, func(tx *sql.Tx, o *orderv1.Order) error { return s.record(ctx, tx, o, previous) })
	if err != nil {
		return nil, err
	}

	if changed {
		s.watches.wake(orderID)
		s.box.Wake()
	}

	return o, nil
}

// edit loads an order that the caller may see, lets apply change it in ways that are neither watched nor notified, and stores it.
func (s *Service) edit(ctx context.Context, orderID string, apply func(o *orderv1.Order) error) (*orderv1.Order, error) {
	o, _, err := s.update(ctx, orderID, s.find,
		func(o *orderv1.Order) (bool, error) { return true, apply(o) },
		func(*sql.Tx, *orderv1.Order) error { return nil })

	return o, err
}

// update loads an order and stores it if apply changed it, together with what follows from the change.
func (s *Service) update(
	ctx context.Context, orderID string, load loader, apply func(o *orderv1.Order) (bool, error),
	follow func(tx *sql.Tx, o *orderv1.Order) error,
) (o *orderv1.Order, changed bool, err error) {
	err = sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		if o, err = load(ctx, tx, orderID); err != nil {
			return err
		}

		if changed, err = apply(o); err != nil || !changed {
			return err
		}

		o.UpdateTime = sqlstore.Now()
		if err := store(ctx, tx, o); err != nil {
			return err
		}

		return follow(tx, o)
	})
	if err != nil {
		return nil, false, err
	}

	return o, changed, nil
}

// record notes the status that an order has now, for those who watch it, and tells its user.
func (s *Service) record(ctx context.Context, tx *sql.Tx, o *orderv1.Order, previous orderv1.OrderStatus) error {
	if err := insertChange(ctx, tx, o, previous); err != nil {
		return err
	}

	return notify.Add(ctx, s.box, tx, &notificationv1.CreateNotificationRequest{
		UserId: o.GetUserId(),
		Kind:   notificationv1.NotificationKind_NOTIFICATION_KIND_ORDER,
		Title:  notificationTitle(o),
		Body:   notificationBody(o),
		Data:   map[string]string{"order_id": o.GetOrderId(), "status": o.GetStatus().String()},
	})
}

// requireUser asks the user service. It is asked in the name of the caller, unless the caller orders for someone else: that
// right was given for orders and need not include reading accounts, so the service asks for itself.
func (s *Service) requireUser(ctx context.Context, userID string) error {
	who := caller.From(ctx)
	if who.Subject != userID {
		who = caller.Service("order", "users:admin").WithRequestID(who.RequestID)
	}

	ask, cancel := context.WithTimeout(caller.Outgoing(ctx, who), peer.Timeout)
	defer cancel()

	_, err := s.users.GetUser(ask, &userv1.GetUserRequest{UserId: userID})
	switch status.Code(err) {
	case codes.OK:
		return nil
	case codes.NotFound, codes.InvalidArgument:
		return fault.FailedPrecondition("the user does not exist")
	default:
		return peer.Failure(ctx, "user", err)
	}
}
