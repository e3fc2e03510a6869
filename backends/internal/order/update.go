package order

import (
	"context"
	"database/sql"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/portico-gateway/portico/backends/internal/etag"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/fieldmask"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	"github.com/portico-gateway/portico/backends/internal/validate"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// changeable are the fields that UpdateOrder changes.
func changeable() []string { return []string{"note", "labels"} }

// UpdateOrder changes the fields that the mask names, unless the order is cancelled or is not the one that the etag means.
func (s *Service) UpdateOrder(ctx context.Context, req *orderv1.UpdateOrderRequest) (*orderv1.Order, error) {
	return s.update(ctx, req.GetOrder().GetOrderId(), func(o *orderv1.Order) error {
		if err := etag.Check(req.GetOrder().GetEtag(), o.GetEtag()); err != nil {
			return err
		}

		if o.GetStatus() == cancelled {
			return fault.FailedPrecondition("the order is cancelled")
		}

		if err := fieldmask.Update(o, req.GetOrder(), req.GetUpdateMask(), changeable()); err != nil {
			return err
		}

		return validate.Resource("order", o)
	})
}

// RedirectOrder says where an order goes that has not been shipped.
func (s *Service) RedirectOrder(ctx context.Context, req *orderv1.RedirectOrderRequest) (*orderv1.Order, error) {
	return s.update(ctx, req.GetOrderId(), func(o *orderv1.Order) error {
		if o.GetStatus() != pending && o.GetStatus() != paid {
			return fault.FailedPrecondition("the order cannot be redirected: it was %s", statusText(o.GetStatus()))
		}

		if req.GetAddress() != nil {
			o.Destination = &orderv1.Order_Address{Address: req.GetAddress()}
		} else {
			o.Destination = &orderv1.Order_PickupPoint{PickupPoint: req.GetPickupPoint()}
		}

		return nil
	})
}

// update lets apply change an order of the caller in ways that are neither watched nor notified, and stores it.
func (s *Service) update(ctx context.Context, orderID string, apply func(o *orderv1.Order) error) (*orderv1.Order, error) {
	var o *orderv1.Order

	err := sqlstore.Tx(ctx, s.db, func(tx *sql.Tx) (err error) {
		if o, err = find(ctx, tx, orderID); err != nil {
			return err
		}

		if err := apply(o); err != nil {
			return err
		}

		return store(ctx, tx, o)
	})
	if err != nil {
		return nil, err
	}

	return tagged(ctx, o)
}

// tagged sets the header etag, for clients that speak HTTP.
func tagged(ctx context.Context, o *orderv1.Order) (*orderv1.Order, error) {
	return o, grpc.SetHeader(ctx, metadata.Pairs("etag", o.GetEtag())) //nolint:wrapcheck // It fails if the call is over.
}
