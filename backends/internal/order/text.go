package order

import (
	"fmt"
	"strings"

	"github.com/portico-gateway/portico/backends/internal/money"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// statusText is a status for people: "cancelled".
func statusText(s orderv1.OrderStatus) string {
	return strings.ToLower(strings.TrimPrefix(s.String(), "ORDER_STATUS_"))
}

func notificationTitle(o *orderv1.Order) string {
	if o.GetStatus() == pending {
		return "We have your order"
	}

	return "Your order was " + statusText(o.GetStatus())
}

func notificationBody(o *orderv1.Order) string {
	text := fmt.Sprintf("Order %s over %s.", o.GetOrderId(), money.Format(o.GetTotal()))
	if o.GetCancelReason() != "" {
		text += " Reason: " + o.GetCancelReason()
	}

	return text
}
