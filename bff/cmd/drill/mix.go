package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// accountCount keeps each user below the rate limits of the demo services.
const accountCount = 40

// operation is one request of the mix, due at a time.
type operation func(d *driver, due time.Time)

// newDriver opens the accounts and places an order for each.
func newDriver(ctx context.Context, f *fleet) (*driver, error) {
	d := &driver{balancer: f.balancer, issuer: f.issuer, mix: mix()}

	admin, err := d.issuer.Token("drill-admin", []string{"users:admin"}, tokenLife, time.Now())
	if err != nil {
		return nil, err
	}

	for i := range accountCount {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("open accounts: %w", ctx.Err())
		}

		if err := d.open(admin, "drill-user-"+strconv.Itoa(i)); err != nil {
			return nil, fmt.Errorf("open accounts: %w", err)
		}
	}

	return d, nil
}

// open opens an account with all that the mix reads. Their samples are of the time before the load.
func (d *driver) open(admin, id string) error {
	token, err := d.issuer.Token(id, nil, tokenLife, time.Now())
	if err != nil {
		return err
	}

	a := &account{id: id, token: token}

	user := fmt.Sprintf(`{"userId": %q, "email": "%s@example.com", "displayName": "Drill"}`, id, id)
	if _, err := d.write(time.Now(), message{http.MethodPost, "/v1/users", admin, user, ""}); err != nil {
		return err
	}

	profile := message{http.MethodPatch, "/v1/users/" + id + "/profile", token, `{"bio": "` + id + `"}`, ""}
	if _, err := d.write(time.Now(), profile); err != nil {
		return err
	}

	if err := d.placeOrder(a, time.Now()); err != nil {
		return err
	}

	d.accounts = append(d.accounts, a)

	return nil
}

// mix is what clients do, in such proportion: three writes to seventeen reads.
func mix() []operation {
	get := func(path func(a *account) string) operation {
		return func(d *driver, due time.Time) {
			a := d.anyone()
			d.read(read, due, message{method: http.MethodGet, path: path(a), token: a.token})
		}
	}

	var (
		order         = get(func(a *account) string { return "/v1/orders/" + a.anyOrder() })
		user          = get(func(a *account) string { return "/v1/users/" + a.id })
		profile       = get(func(a *account) string { return "/v1/users/" + a.id + "/profile" })
		list          = get(func(a *account) string { return "/v1/users/" + a.id + "/orders" })
		notifications = get(func(a *account) string { return "/v1/users/" + a.id + "/notifications" })
	)

	return []operation{
		order, user, profile, overview, list, order, user, notifications, place, profile,
		order, user, overview, list, describe, order, user, notifications, place, profile,
	}
}

func (d *driver) anyone() *account {
	return d.accounts[rand.IntN(len(d.accounts))] //nolint:gosec // Nobody should not guess it.
}

func overview(d *driver, due time.Time) {
	d.read(dashboard, due, message{method: http.MethodGet, path: "/v1/me/dashboard", token: d.anyone().token})
}

func place(d *driver, due time.Time) {
	_ = d.placeOrder(d.anyone(), due) // What went wrong is among the samples.
}

// placeOrder labels the order, so that it is found again whatever its id.
func (d *driver) placeOrder(a *account, due time.Time) error {
	one := d.ledger.open(orders, due)
	body := fmt.Sprintf(`{"labels": {"drill": %q}, "items": [
		{"sku": "TEA", "title": "Tea", "quantity": 2, "unitPrice": {"currencyCode": "EUR", "units": "4", "nanos": 500000000}},
		{"sku": "MUG", "title": "Mug", "quantity": 1, "unitPrice": {"currencyCode": "EUR", "units": "12"}}]}`, one.label)

	reply, err := d.write(due, message{http.MethodPost, "/v1/orders", a.token, body, `"` + one.label + `"`})
	if err != nil {
		return err
	}

	var order struct {
		OrderID string `json:"orderId"`
	}
	if err := json.Unmarshal([]byte(reply.body), &order); err != nil || order.OrderID == "" {
		return errors.Join(fmt.Errorf("no order in %q", reply.body), err)
	}

	d.ledger.acknowledge(one, order.OrderID)
	a.placed(order.OrderID)

	return nil
}

// describe writes a profile that nobody else writes, so that whether it is there does not depend on the order of writes.
func describe(d *driver, due time.Time) {
	one := d.ledger.open(profiles, due)
	id := one.label

	token, err := d.issuer.Token(id, nil, tokenLife, time.Now())
	if err != nil {
		return
	}

	m := message{http.MethodPatch, "/v1/users/" + id + "/profile", token, fmt.Sprintf(`{"bio": %q}`, one.label), ""}
	if _, err := d.write(due, m); err == nil {
		d.ledger.acknowledge(one, id)
	}
}
