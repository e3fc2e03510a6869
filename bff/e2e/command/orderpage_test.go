package command_test

import (
	"fmt"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	orderpagev1 "github.com/portico-gateway/portico/gen/orderpage/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

// Seeded payments of shippedOrder and of bob.
const (
	shippedPayment = "pay_01kj2wtz6c8e3g5j7n9r1s4vxa"
	shippedRest    = "pay_01kj2wv4n8p1t3w6z9b2d5f7ha"
	bobPayment     = "pay_01kh7b6d2k4m8q1s5v7x9z3bfb"
)

// orderPage gets the page of an order.
func (p *process) orderPage(t *testing.T, order, token string) *orderpagev1.OrderPage {
	t.Helper()

	return pageIn(t, want(t, "page", call(t, http.MethodGet, p.url+"/v1/orders/"+order+"/page", token, ""), http.StatusOK))
}

func pageIn(t *testing.T, got answer) *orderpagev1.OrderPage {
	t.Helper()

	page := &orderpagev1.OrderPage{}
	if err := protojson.Unmarshal([]byte(got.body), page); err != nil {
		t.Fatal(err)
	}

	return page
}

func paymentIDs(payments []*paymentv1.Payment) []string {
	all := make([]string, 0, len(payments))
	for _, p := range payments {
		all = append(all, p.GetPaymentId())
	}

	return all
}

// callsOf are the RPCs that a response is made of, as the header Server-Timing says, in the order of their ends.
func callsOf(got answer) []string {
	var all []string
	for _, found := range regexp.MustCompile(`desc="[a-z.0-9]+\.[A-Za-z]+/([A-Za-z]+)"`).FindAllStringSubmatch(got.header.Get("Server-Timing"), -1) {
		all = append(all, found[1])
	}

	return all
}

func TestOrderPage(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	alice := p.token(t, "alice")

	page := p.orderPage(t, shippedOrder, alice)
	if ids := paymentIDs(page.GetPayments()); page.GetOrder().GetOrderId() != shippedOrder || len(page.GetPartialErrors()) != 0 ||
		!slices.Equal(ids, []string{shippedPayment, shippedRest}) || page.GetBuyer().GetUserId() != "alice" {
		t.Errorf("the page is %v", page)
	}

	for _, n := range page.GetNotifications() {
		if n.GetData()["order_id"] != shippedOrder {
			t.Errorf("it is about another order: %v", n)
		}
	}

	if len(page.GetNotifications()) != 1 {
		t.Errorf("notifications: %v", page.GetNotifications())
	}

	want(t, "alice's page for bob", call(t, http.MethodGet, p.url+"/v1/orders/"+shippedOrder+"/page", p.token(t, "bob"), ""), http.StatusForbidden)
	want(t, "of no order", call(t, http.MethodGet, p.url+"/v1/orders/ord_none/page", alice, ""), http.StatusNotFound)
	want(t, "without a token", call(t, http.MethodGet, p.url+"/v1/orders/"+shippedOrder+"/page", "", ""), http.StatusUnauthorized)

	page = p.orderPage(t, shippedOrder, p.token(t, "staff", "orders:admin"))

	var missing []string
	for _, part := range page.GetPartialErrors() {
		missing = append(missing, part.GetPart()+" "+part.GetCode().String())
	}

	if want := []string{"payments PERMISSION_DENIED", "notifications PERMISSION_DENIED", "buyer PERMISSION_DENIED"}; !slices.Equal(missing, want) {
		t.Errorf("for staff of orders alone, missing: %q", missing)
	}

	page = p.orderPage(t, shippedOrder, p.token(t, "staff", "orders:admin", "payments:admin", "notifications:admin", "users:admin"))
	if len(page.GetPartialErrors()) != 0 || len(page.GetPayments()) != 2 {
		t.Errorf("for staff: %v", page)
	}
}

// Each payment is asked for by its id, and the backend gets one call for all of them, after that for the order.
func TestOrderPageHasItsPaymentsFromOneCall(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	alice := p.token(t, "alice")
	placed := want(t, "place", call(t, http.MethodPost, p.url+"/v1/orders", alice, `{"items": [{"sku": "TEA", "title": "Tea", "quantity": 1,
		"unitPrice": {"currencyCode": "EUR", "units": "6"}}]}`), http.StatusCreated)
	order := path.Base(placed.header.Get("Location"))

	var made []string

	for _, euros := range []string{"1", "2", "3"} {
		paid := want(t, "pay", call(t, http.MethodPost, p.url+"/v1/payments", alice, `{"orderId": "`+order+`", "method": "PAYMENT_METHOD_CARD",
			"amount": {"currencyCode": "EUR", "units": "`+euros+`"}}`), http.StatusCreated)
		made = append(made, path.Base(paid.header.Get("Location")))
	}

	wanted := []string{"BatchGetPayments", "GetOrder", "ListNotifications"}

	var calls []string

	// What was paid is on the page a moment later. On a busy machine a call may come late to its batch.
	eventually(t, "the page with all payments and notifications, from one call each", func() bool {
		got := call(t, http.MethodGet, p.url+"/v1/orders/"+order+"/page", alice, "")
		if got.status == http.StatusTooManyRequests {
			return false
		}

		page := pageIn(t, want(t, "page", got, http.StatusOK))
		// A later page has the profile from the cache.
		calls = slices.DeleteFunc(callsOf(got), func(name string) bool { return name == "GetProfile" })

		return slices.Equal(paymentIDs(page.GetPayments()), made) && len(page.GetNotifications()) == 2+len(made) && // Placed and paid.
			slices.Equal(slices.Sorted(slices.Values(calls)), wanted)
	})

	if calls[0] != "GetOrder" {
		t.Errorf("the order is the first of %q", calls)
	}
}

func TestBatchGetPayments(t *testing.T) {
	t.Parallel()

	p := startDev(t, t.TempDir())
	alice := p.token(t, "alice")
	get := func(ids ...string) answer {
		var query strings.Builder
		for _, id := range ids {
			fmt.Fprintf(&query, "&paymentIds=%s", id)
		}

		return call(t, http.MethodGet, strings.Replace(p.url+"/v1/payments:batchGet"+query.String(), "&", "?", 1), alice, "")
	}

	batch := &paymentv1.BatchGetPaymentsResponse{}
	if err := protojson.Unmarshal([]byte(want(t, "two", get(shippedRest, shippedPayment), http.StatusOK).body), batch); err != nil {
		t.Fatal(err)
	}

	if ids := paymentIDs(batch.GetPayments()); !slices.Equal(ids, []string{shippedRest, shippedPayment}) {
		t.Errorf("got %q", ids)
	}

	want(t, "one of bob's", get(shippedRest, bobPayment), http.StatusForbidden)

	if got := want(t, "one that is not there", get(shippedRest, "pay_none"), http.StatusNotFound); !strings.Contains(got.body, "pay_none") {
		t.Errorf("it does not say which: %s", got.body)
	}

	for name, ids := range map[string][]string{"none": nil, "too_many": slices.Repeat([]string{shippedRest}, 101)} {
		if got := want(t, name, get(ids...), http.StatusBadRequest); !strings.Contains(got.body, `"field":"paymentIds"`) {
			t.Errorf("%s: %s", name, got.body)
		}
	}
}
