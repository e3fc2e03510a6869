package backends_test

import (
	"fmt"
	"sync"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

func named(id string) *orderv1.CreateOrderRequest {
	return &orderv1.CreateOrderRequest{Items: []*orderv1.LineItem{tea()}, RequestId: id}
}

func TestOrderIsPlacedOnceForARequestID(t *testing.T) {
	t.Parallel()

	w := newWorld(t)

	var (
		placing sync.WaitGroup
		ids     [8]string
	)

	for i := range ids {
		placing.Go(func() {
			o, err := w.orders.CreateOrder(as(t, "alice"), named("r-1"))
			if err != nil {
				t.Error(err)
			}

			ids[i] = o.GetOrderId()
		})
	}

	placing.Wait()

	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("several orders: %q", ids)
		}
	}

	// It is the order as it is now, also if the user service is gone.
	must[*orderv1.Order](t)(w.orders.CancelOrder(as(t, "alice"), &orderv1.CancelOrderRequest{OrderId: ids[0]}))

	if err := w.fleet.StopInstance("user"); err != nil {
		t.Fatal(err)
	}

	again := named("r-1")
	again.UserId = "alice" // Says the same.

	if o := must[*orderv1.Order](t)(w.orders.CreateOrder(as(t, "alice"), again)); o.GetOrderId() != ids[0] || o.GetStatus() != cancelled {
		t.Errorf("the same request gives %v", o)
	}

	eventually(t, "alice is told", func() bool { return len(w.notified(t, "alice", ids[0])) == 2 }) // Placed and cancelled.
}

func TestRequestIDsOfOrders(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	place := func(subject string, req *orderv1.CreateOrderRequest) string {
		return must[*orderv1.Order](t)(w.orders.CreateOrder(as(t, subject), req)).GetOrderId()
	}

	first := place("alice", named("r-1"))
	for what, id := range map[string]string{
		"another_request": place("alice", named("r-2")),
		"another_caller":  place("bob", named("r-1")),
		"no_name":         place("alice", named("")),
		"no_name_again":   place("alice", named("")),
	} {
		if id == first {
			t.Errorf("%s gives the same order", what)
		}
	}

	other := named("r-1")
	other.Note = new("more")
	_, err := w.orders.CreateOrder(as(t, "alice"), other)
	wantFields(t, err, "request_id")

	long := make([]byte, 301)
	for i := range long {
		long[i] = 'x'
	}

	_, err = w.orders.CreateOrder(as(t, "alice"), named(string(long)))
	wantFields(t, err, "request_id")

	// A request that failed has not been made.
	_, err = w.orders.CreateOrder(as(t, "alice"), &orderv1.CreateOrderRequest{RequestId: "r-3"})
	wantFields(t, err, "items")

	place("alice", named("r-3"))
}

func TestUserIsMadeOnceForARequestID(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	admin := as(t, "admin", "users:admin")
	req := &userv1.CreateUserRequest{Email: "dora@example.com", DisplayName: "Dora", RequestId: "r-1"}

	made := must[*userv1.User](t)(w.users.CreateUser(admin, req))
	if again := must[*userv1.User](t)(w.users.CreateUser(admin, req)); again.GetUserId() != made.GetUserId() {
		t.Errorf("made %v and %v", made, again)
	}

	req.DisplayName = "Theodora"
	_, err := w.users.CreateUser(admin, req)
	wantFields(t, err, "request_id")
}

func TestPaymentsAreMadeOnceForARequestID(t *testing.T) {
	t.Parallel()

	w := newWorld(t)
	id := w.placeOrder(t).GetOrderId()
	pay := &paymentv1.CreatePaymentRequest{OrderId: id, Amount: euros(10, 0), Method: card, RequestId: "r-1"}

	made := must[*paymentv1.Payment](t)(w.payments.CreatePayment(as(t, "alice"), pay))
	eventually(t, "the order is paid", func() bool { return w.orderStatus(t, id) == paid })

	// The order is not payable any more, and need not be.
	if again := must[*paymentv1.Payment](t)(w.payments.CreatePayment(as(t, "alice"), pay)); again.GetPaymentId() != made.GetPaymentId() {
		t.Errorf("paid twice: %v", again)
	}

	refund := &paymentv1.RefundPaymentRequest{PaymentId: made.GetPaymentId(), Amount: euros(4, 0), RequestId: "r-1"} // Names of one method.
	for range 2 {
		p := must[*paymentv1.Payment](t)(w.payments.RefundPayment(as(t, "alice"), refund))
		if len(p.GetRefunds()) != 1 {
			t.Errorf("refunded %v", p.GetRefunds())
		}
	}

	refund.Amount = nil
	_, err := w.payments.RefundPayment(as(t, "alice"), refund)
	wantFields(t, err, "request_id")

	refund.RequestId = "r-2"
	if p := must[*paymentv1.Payment](t)(w.payments.RefundPayment(as(t, "alice"), refund)); len(p.GetRefunds()) != 2 {
		t.Errorf("refunded %v", p.GetRefunds())
	}
}

// place places an order of alice's. While the machine is too busy for the order service to ask the user service in time, it asks
// again, which is safe under a request id. Empty: it could not.
func place(t *testing.T, w *world, id string) string {
	t.Helper()

	for range 20 {
		order, err := w.orders.CreateOrder(as(t, "alice"), named(id))
		if status.Code(err) == codes.Unavailable {
			continue
		}

		if err != nil {
			t.Error(err)
		}

		return order.GetOrderId()
	}

	t.Errorf("%s: unavailable", id)

	return ""
}

// Several fleets over one folder are as several processes: they share databases, and each of them empties the outbox.
func TestFleetsShareDatabases(t *testing.T) {
	t.Parallel()

	dir := t.TempDir()
	worlds := []*world{startWorld(t, dir), startWorld(t, dir), startWorld(t, dir)}

	var (
		placing sync.WaitGroup
		ids     [30]string
	)

	for i := range ids {
		placing.Go(func() {
			ids[i] = place(t, worlds[i%len(worlds)], fmt.Sprintf("fleet-%d", i))
		})
	}

	placing.Wait()

	for _, id := range ids {
		eventually(t, "alice is told", func() bool { return len(worlds[0].notified(t, "alice", id)) > 0 })

		if told := len(worlds[1].notified(t, "alice", id)); told != 1 {
			t.Errorf("alice was told %d times of %s", told, id)
		}
	}
}
