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

// account is a user of the shop.
type account struct {
	id, token string
	orders    journal[string]
}

// newDriver opens the accounts and places an order for each.
func newDriver(ctx context.Context, f *fleet) (*driver, error) {
	d := &driver{balancer: f.balancer, issuer: f.issuer}

	admin, err := d.issuer.Token("drill-admin", []string{"users:admin"}, tokenLife, time.Now())

	for i := 0; i < accountCount && err == nil; i++ {
		if err = ctx.Err(); err == nil {
			err = d.open(admin, "drill-user-"+strconv.Itoa(i))
		}
	}

	if err != nil {
		return nil, fmt.Errorf("open accounts: %w", err)
	}

	return d, nil
}

// open opens an account with everything that the mix reads. Its samples are from before the load.
func (d *driver) open(admin, id string) error {
	a := &account{id: id}

	user := fmt.Sprintf(`{"userId": %q, "email": "%s@example.com", "displayName": "Drill"}`, id, id)
	if _, err := d.write(time.Now(), message{http.MethodPost, "/v1/users", admin, user, ""}); err != nil {
		return err
	}

	var err error
	if a.token, err = d.writeProfile(id, id, time.Now()); err != nil {
		return err
	}

	if err := d.placeOrder(a, time.Now()); err != nil {
		return err
	}

	d.accounts = append(d.accounts, a)

	return nil
}

// operation is one request of the mix, due at a time.
type operation func(d *driver, due time.Time)

// mix is what clients do, in these proportions: four writes, one of them without a key, to seventeen reads.
func mix() []operation {
	get := func(k kind, path func(a *account) string) operation {
		return func(d *driver, due time.Time) {
			a := anyOf(d.accounts)
			d.once(k, due, true, message{method: http.MethodGet, path: path(a), token: a.token})
		}
	}

	var (
		order         = get(read, func(a *account) string { return "/v1/orders/" + anyOf(a.orders.all()) })
		user          = get(read, func(a *account) string { return "/v1/users/" + a.id })
		profile       = get(read, func(a *account) string { return "/v1/users/" + a.id + "/profile" })
		list          = get(read, func(a *account) string { return "/v1/users/" + a.id + "/orders" })
		notifications = get(read, func(a *account) string { return "/v1/users/" + a.id + "/notifications" })
		overview      = get(dashboard, func(*account) string { return "/v1/me/dashboard" })
	)

	// Failures are among the samples.
	place := func(d *driver, due time.Time) { _ = d.placeOrder(anyOf(d.accounts), due) }
	placeOnce := func(d *driver, due time.Time) { _ = d.placeOrderOnce(anyOf(d.accounts), due) }

	return []operation{
		order, user, profile, overview, list, order, user, notifications, place, profile,
		order, user, overview, list, describe, order, user, notifications, place, profile, placeOnce,
	}
}

func anyOf[T any](list []T) T {
	return list[rand.IntN(len(list))] //nolint:gosec // It need not be hard to guess.
}

// begin records a write.
func (d *driver) begin(to table, at time.Time) *entry {
	return d.writes.add(func(n int) entry { return entry{table: to, at: at, label: fmt.Sprintf("drill-%06d", n)} })
}

func (d *driver) acknowledge(one *entry, id string) {
	d.writes.update(one, func(one *entry) { one.acknowledged, one.id = true, id })
}

// placeOrder places an order with a key, until that is acknowledged.
func (d *driver) placeOrder(a *account, due time.Time) error {
	one := d.begin(orders, due)
	m := newOrder(a, one.label)
	m.key = `"` + one.label + `"`

	res, err := d.write(due, m)
	if err != nil {
		return err
	}

	return d.placed(a, one, res)
}

// placeOrderOnce places one without a key. Sent again after a failure it might be made twice, so it is not.
func (d *driver) placeOrderOnce(a *account, due time.Time) error {
	one := d.begin(orders, due)
	d.writes.update(one, func(one *entry) { one.unkeyed = true })

	res := d.once(unkeyedWrite, due, true, newOrder(a, one.label))
	if res.failure != "" {
		return errors.New(res.failure)
	}

	return d.placed(a, one, res)
}

// newOrder labels the order, so that it is found whatever its id.
func newOrder(a *account, label string) message {
	body := fmt.Sprintf(`{"labels": {"drill": %q}, "items": [
		{"sku": "TEA", "title": "Tea", "quantity": 2, "unitPrice": {"currencyCode": "EUR", "units": "4", "nanos": 500000000}},
		{"sku": "MUG", "title": "Mug", "quantity": 1, "unitPrice": {"currencyCode": "EUR", "units": "12"}}]}`, label)

	return message{method: http.MethodPost, path: "/v1/orders", token: a.token, body: body}
}

// placed records an order that was acknowledged.
func (d *driver) placed(a *account, one *entry, res response) error {
	var order struct {
		OrderID string `json:"orderId"`
	}
	if err := json.Unmarshal([]byte(res.body), &order); err != nil || order.OrderID == "" {
		return errors.Join(fmt.Errorf("no order in %q", res.body), err)
	}

	d.acknowledge(one, order.OrderID)
	a.orders.add(func(int) string { return order.OrderID })

	return nil
}

// describe writes a profile that no other request writes, so that the audit does not depend on the order of writes.
func describe(d *driver, due time.Time) {
	one := d.begin(profiles, due)
	if _, err := d.writeProfile(one.label, one.label, due); err == nil {
		d.acknowledge(one, one.label)
	}
}

// writeProfile returns the token of the user.
func (d *driver) writeProfile(id, bio string, due time.Time) (string, error) {
	token, err := d.issuer.Token(id, nil, tokenLife, time.Now())
	if err != nil {
		return "", err
	}

	_, err = d.write(due, message{http.MethodPatch, "/v1/users/" + id + "/profile", token, fmt.Sprintf(`{"bio": %q}`, bio), ""})

	return token, err
}
