package order

import (
	"context"
	"fmt"
	"regexp"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/fieldmask"
	"github.com/portico-gateway/portico/backends/internal/validate"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Bounds of addresses: texts in characters.
const (
	maxLines      = 5
	maxLine       = 100
	maxPostalCode = 20
)

var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

// changeable are the fields that UpdateOrder changes.
func changeable() []string { return []string{"note", "labels"} }

// UpdateOrder changes the fields that the mask names, unless the order is cancelled.
func (s *Service) UpdateOrder(ctx context.Context, req *orderv1.UpdateOrderRequest) (*orderv1.Order, error) {
	if err := caller.From(ctx).Authenticated(); err != nil {
		return nil, err
	}

	var v fault.Violations
	if fieldmask.Check(&v, req.GetUpdateMask(), changeable()); v.Err() != nil {
		return nil, v.Err()
	}

	return s.edit(ctx, req.GetOrder().GetOrderId(), func(o *orderv1.Order) error {
		if o.GetStatus() == cancelled {
			return fault.FailedPrecondition("the order is cancelled")
		}

		fieldmask.Apply(o, req.GetOrder(), req.GetUpdateMask())

		var v fault.Violations

		validate.Text(&v, "order.note", o.GetNote(), maxNote)
		validate.Pairs(&v, "order.labels", o.GetLabels())

		return v.Err()
	})
}

// RedirectOrder says where an order goes that has not been shipped.
func (s *Service) RedirectOrder(ctx context.Context, req *orderv1.RedirectOrderRequest) (*orderv1.Order, error) {
	if err := caller.From(ctx).Authenticated(); err != nil {
		return nil, err
	}

	var v fault.Violations
	if checkDestination(&v, req); v.Err() != nil {
		return nil, v.Err()
	}

	return s.edit(ctx, req.GetOrderId(), func(o *orderv1.Order) error {
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

func checkDestination(v *fault.Violations, req *orderv1.RedirectOrderRequest) {
	switch destination := req.GetDestination().(type) {
	case *orderv1.RedirectOrderRequest_PickupPoint:
		validate.Required(v, "pickup_point", destination.PickupPoint, maxLine)
	case *orderv1.RedirectOrderRequest_Address:
		checkAddress(v, "address", destination.Address)
	default:
		v.Addf("destination", "must be one of address, pickup_point")
	}
}

func checkAddress(v *fault.Violations, field string, address *orderv1.Address) {
	if n := len(address.GetLines()); n < 1 || n > maxLines {
		v.Addf(field+".lines", "must have 1 to %d entries", maxLines)

		return
	}

	for i, line := range address.GetLines() {
		validate.Required(v, fmt.Sprintf("%s.lines[%d]", field, i), line, maxLine)
	}

	validate.Text(v, field+".postal_code", address.GetPostalCode(), maxPostalCode)
	validate.Required(v, field+".city", address.GetCity(), maxLine)

	if !countryPattern.MatchString(address.GetCountryCode()) {
		v.Addf(field+".country_code", "must be two capital letters (ISO 3166-1 alpha-2)")
	}
}
