package order

import (
	"context"
	"database/sql"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/repeat"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// named is the request under its request_id. To name oneself says the same as to name nobody.
func named(ctx context.Context, req *orderv1.CreateOrderRequest, userID string) repeat.Request {
	message := proto.CloneOf(req)
	message.UserId = userID

	return repeat.Request{Subject: caller.From(ctx).Subject, Method: "CreateOrder", ID: req.GetRequestId(), Message: message}
}

// repeated gives the order that the request has placed before, nil if it is new.
func repeated(ctx context.Context, db sqlstore.Queryer, named repeat.Request) (*orderv1.Order, error) {
	orderID, err := named.Find(ctx, db)
	if err != nil || orderID == "" {
		return nil, err
	}

	return load(ctx, db, orderID)
}

// place stores an order, unless the request has placed one by now: the same request can be on its way twice.
func (s *Service) place(ctx context.Context, named repeat.Request, o *orderv1.Order) (*orderv1.Order, error) {
	var before *orderv1.Order

	err := sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		if before, err = repeated(ctx, tx, named); err != nil || before != nil {
			return err
		}

		if err := insert(ctx, tx, o); err != nil {
			return err
		}

		if err := named.Note(ctx, tx, o.GetOrderId()); err != nil {
			return err
		}

		return s.record(ctx, tx, o, orderv1.OrderStatus_ORDER_STATUS_UNSPECIFIED)
	})
	if err != nil || before != nil {
		return before, err
	}

	s.box.Wake()

	return o, nil
}
