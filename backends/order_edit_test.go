package backends_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

func (w *world) getOrder(t *testing.T, id string) *orderv1.Order {
	t.Helper()

	return must[*orderv1.Order](t)(w.orders.GetOrder(as(t, "alice"), &orderv1.GetOrderRequest{OrderId: id}))
}

func TestUpdateOrder(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	update := func(subject string, o *orderv1.Order, paths ...string) (*orderv1.Order, error) {
		return w.orders.UpdateOrder(as(t, subject), &orderv1.UpdateOrderRequest{
			Order: o, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths},
		})
	}

	before := w.getOrder(t, aliceShipped)
	change := &orderv1.Order{OrderId: aliceShipped, Labels: map[string]string{"a": "b"}, Note: new("No mask names it.")}

	after := must[*orderv1.Order](t)(update("alice", change, "labels"))
	if diff := cmp.Diff(after, w.getOrder(t, aliceShipped), protocmp.Transform()); diff != "" {
		t.Errorf("stored otherwise (-answered +read):\n%s", diff)
	}

	before.Labels, before.UpdateTime, before.Etag = change.GetLabels(), after.GetUpdateTime(), after.GetEtag()
	if diff := cmp.Diff(before, after, protocmp.Transform()); diff != "" {
		t.Errorf("changed something else (-want +got):\n%s", diff)
	}

	if got := must[*orderv1.Order](t)(update("alice", &orderv1.Order{OrderId: aliceShipped}, "note")); got.Note != nil {
		t.Errorf("the note is still %q", got.GetNote())
	}

	_, err := update("alice", &orderv1.Order{OrderId: aliceShipped}, "status", "address")
	wantFields(t, err, "update_mask", "update_mask")

	_, err = update("alice", &orderv1.Order{OrderId: aliceShipped, Note: new(strings.Repeat("x", 1001))}, "note")
	wantFields(t, err, "order.note")

	_, err = update("alice", &orderv1.Order{OrderId: aliceCancelled}, "note")
	wantCode(t, err, codes.FailedPrecondition)

	_, err = update("bob", &orderv1.Order{OrderId: aliceShipped}, "note")
	wantCode(t, err, codes.PermissionDenied)

	_, err = update("alice", nil, "note")
	wantFields(t, err, "order")

	_, err = w.orders.UpdateOrder(nobody(t), &orderv1.UpdateOrderRequest{})
	wantCode(t, err, codes.Unauthenticated)
}

func TestRedirectOrder(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	redirect := func(subject string, req *orderv1.RedirectOrderRequest) (*orderv1.Order, error) {
		return w.orders.RedirectOrder(as(t, subject), req)
	}
	address := &orderv1.Address{Lines: []string{"Hafenstraße 1"}, City: "Linz", CountryCode: "AT"}
	toAddress := &orderv1.RedirectOrderRequest_Address{Address: address}
	toShop := &orderv1.RedirectOrderRequest_PickupPoint{PickupPoint: "Kiosk at the station"}

	must[*orderv1.Order](t)(redirect("alice", &orderv1.RedirectOrderRequest{OrderId: alicePending, Destination: toShop}))

	if got := w.getOrder(t, alicePending); got.GetPickupPoint() != toShop.PickupPoint {
		t.Errorf("it goes to %v", got.GetDestination())
	}

	must[*orderv1.Order](t)(redirect("alice", &orderv1.RedirectOrderRequest{OrderId: alicePending, Destination: toAddress}))

	if diff := cmp.Diff(address, w.getOrder(t, alicePending).GetAddress(), protocmp.Transform()); diff != "" {
		t.Errorf("it goes elsewhere (-want +got):\n%s", diff)
	}

	_, err := redirect("alice", &orderv1.RedirectOrderRequest{OrderId: alicePending})
	wantFields(t, err, "destination")

	_, err = redirect("alice", &orderv1.RedirectOrderRequest{
		OrderId: alicePending, Destination: &orderv1.RedirectOrderRequest_PickupPoint{},
	})
	wantFields(t, err, "pickup_point")

	_, err = redirect("alice", &orderv1.RedirectOrderRequest{
		OrderId: alicePending, Destination: &orderv1.RedirectOrderRequest_Address{Address: &orderv1.Address{}},
	})
	wantFields(t, err, "address.lines", "address.city", "address.country_code")

	_, err = redirect("alice", &orderv1.RedirectOrderRequest{
		OrderId: alicePending, Destination: &orderv1.RedirectOrderRequest_Address{Address: &orderv1.Address{
			Lines: []string{""}, PostalCode: strings.Repeat("1", 21), CountryCode: "at",
		}},
	})
	wantFields(t, err, "address.lines[0]", "address.postal_code", "address.city", "address.country_code")

	for _, id := range []string{aliceShipped, aliceCancelled, aliceDelivered} {
		_, err = redirect("alice", &orderv1.RedirectOrderRequest{OrderId: id, Destination: toShop})
		wantCode(t, err, codes.FailedPrecondition)
	}

	_, err = redirect("alice", &orderv1.RedirectOrderRequest{OrderId: bobPending, Destination: toShop})
	wantCode(t, err, codes.PermissionDenied)

	_, err = w.orders.RedirectOrder(nobody(t), &orderv1.RedirectOrderRequest{})
	wantCode(t, err, codes.Unauthenticated)
}
