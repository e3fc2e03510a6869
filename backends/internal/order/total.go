package order

import (
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/fault"
	"github.com/portico-gateway/portico/backends/internal/money"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// total adds up items that are valid one by one. They must have one currency.
func total(items []*orderv1.LineItem) (*moneyv1.Money, error) {
	var v fault.Violations

	currency := items[0].GetUnitPrice().GetCurrencyCode()
	sum := money.Zero(currency)

	for i, item := range items {
		field := fmt.Sprintf("items[%d].unit_price", i)

		if money.IsNegative(item.GetUnitPrice()) {
			v.Addf(field, "must not be negative")

			continue
		}

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

			break
		}

		sum = price
	}

	return sum, v.Err()
}

func totalQuantity(items []*orderv1.LineItem) int64 {
	var sum int64
	for _, item := range items {
		sum += int64(item.GetQuantity())
	}

	return sum
}
