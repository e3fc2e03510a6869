package order

import (
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/money"
	"github.com/portico-gateway/portico/backends/internal/validate"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Bounds: texts in characters.
const (
	maxItems    = 100
	maxQuantity = 1000
	maxSKU      = 64
	maxTitle    = 200
	maxNote     = 1000
	maxReason   = 500
)

// check looks at everything that clients can set and gives the total, nil if there is a violation.
func check(v *fault.Violations, req *orderv1.CreateOrderRequest) *moneyv1.Money {
	validate.Text(v, "note", req.GetNote(), maxNote)
	validate.Pairs(v, "labels", req.GetLabels())

	if n := len(req.GetItems()); n < 1 || n > maxItems {
		v.Addf("items", "must have 1 to %d entries", maxItems)

		return nil
	}

	for i, item := range req.GetItems() {
		checkItem(v, fmt.Sprintf("items[%d]", i), item)
	}

	if v.Err() != nil {
		return nil
	}

	return total(v, req.GetItems())
}

func checkItem(v *fault.Violations, field string, item *orderv1.LineItem) {
	validate.Required(v, field+".sku", item.GetSku(), maxSKU)
	validate.Required(v, field+".title", item.GetTitle(), maxTitle)
	validate.Pairs(v, field+".attributes", item.GetAttributes())

	if q := item.GetQuantity(); q < 1 || q > maxQuantity {
		v.Addf(field+".quantity", "must be 1 to %d", maxQuantity)
	}

	if money.Check(v, field+".unit_price", item.GetUnitPrice()) && money.Sign(item.GetUnitPrice()) < 0 {
		v.Addf(field+".unit_price", "must not be negative")
	}
}

// total adds up items that are valid one by one.
func total(v *fault.Violations, items []*orderv1.LineItem) *moneyv1.Money {
	currency := items[0].GetUnitPrice().GetCurrencyCode()
	sum := money.Zero(currency)

	for i, item := range items {
		field := fmt.Sprintf("items[%d].unit_price", i)

		if item.GetUnitPrice().GetCurrencyCode() != currency {
			v.Addf(field+".currency_code", "must be %s, as in the first item", currency)

			continue
		}

		price, err := money.Mul(item.GetUnitPrice(), int64(item.GetQuantity()))
		if err == nil {
			price, err = money.Add(sum, price)
		}

		if err != nil {
			v.Addf(field, "makes the total too large")

			return nil
		}

		sum = price
	}

	return sum
}

func totalQuantity(items []*orderv1.LineItem) int64 {
	var sum int64
	for _, item := range items {
		sum += int64(item.GetQuantity())
	}

	return sum
}
