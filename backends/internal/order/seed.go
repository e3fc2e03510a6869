package order

import (
	"context"
	"database/sql"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/portico-gateway/portico/backends/internal/demo"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Seed writes the demo orders, once in the life of the database. Nobody is notified of them.
func Seed(ctx context.Context, db *sql.DB) error {
	err := sqlstore.Once(ctx, db, func(tx *sql.Tx) error {
		for _, s := range append(aliceStories(), bobStories()...) {
			if err := s.insert(ctx, tx); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("seed orders: %w", err)
	}

	return nil
}

// story is an order and the statuses that it went through.
type story struct {
	order   *orderv1.Order
	history []step
}

type step struct {
	status orderv1.OrderStatus
	time   *timestamppb.Timestamp
}

func (s story) insert(ctx context.Context, tx *sql.Tx) error {
	o, last := s.order, s.history[len(s.history)-1]

	sum, err := total(o.GetItems())
	if err != nil {
		return fmt.Errorf("total of %s: %w", o.GetOrderId(), err)
	}

	o.Total = sum
	o.TotalQuantity = totalQuantity(o.GetItems())
	o.Status, o.CreateTime, o.UpdateTime = last.status, s.history[0].time, last.time

	if err := insert(ctx, tx, o); err != nil {
		return err
	}

	previous := orderv1.OrderStatus_ORDER_STATUS_UNSPECIFIED

	for _, now := range s.history {
		o.Status, o.UpdateTime = now.status, now.time
		if err := insertChange(ctx, tx, o, previous); err != nil {
			return err
		}

		previous = now.status
	}

	return nil
}

// item has its price in euro cents.
func item(sku, title string, quantity int32, cents int64, attributes map[string]string) *orderv1.LineItem {
	const (
		centsPerUnit = 100
		nanosPerCent = 10_000_000
	)

	return &orderv1.LineItem{
		Sku: sku, Title: title, Quantity: quantity, Attributes: attributes,
		UnitPrice: &moneyv1.Money{
			CurrencyCode: "EUR", Units: cents / centsPerUnit, Nanos: int32(cents%centsPerUnit) * nanosPerCent,
		},
	}
}

func aliceStories() []story {
	return []story{
		{
			order: &orderv1.Order{
				OrderId: demo.AliceDelivered, UserId: demo.Alice, Labels: map[string]string{"channel": "web"},
				PaymentIds: []string{demo.AliceDeliveredPayment},
				Items: []*orderv1.LineItem{
					item("MUG-350-BL", "Stoneware mug, 350 ml", 2, 1490, map[string]string{"colour": "blue"}),
					item("BOOK-BREAD-3", "Bread at home, 3rd edition", 1, 2400, map[string]string{"language": "de"}),
				},
			},
			history: []step{
				{pending, demo.At(2, 5, 9, 30)},
				{paid, demo.At(2, 5, 9, 33)},
				{shipped, demo.At(2, 6, 8, 10)},
				{delivered, demo.At(2, 7, 11, 40)},
			},
		},
		{
			order: &orderv1.Order{
				OrderId: demo.AliceCancelled, UserId: demo.Alice, Labels: map[string]string{"channel": "app"},
				CancelReason: new("Ordered the wrong size."),
				Items: []*orderv1.LineItem{
					item("SHOE-CLIMB-39", "Climbing shoes", 1, 12900, map[string]string{"size": "39", "colour": "teal"}),
				},
			},
			history: []step{{pending, demo.At(2, 14, 18, 41)}, {cancelled, demo.At(2, 14, 19, 2)}},
		},
		{
			order: &orderv1.Order{
				OrderId: demo.AliceShipped, UserId: demo.Alice, Labels: map[string]string{"channel": "app"},
				Note:       new("Please leave it with the neighbour."),
				PaymentIds: []string{demo.AliceShippedPayment, demo.AliceShippedRest},
				Items: []*orderv1.LineItem{
					item("SHOE-CLIMB-40", "Climbing shoes", 1, 12900, map[string]string{"size": "40", "colour": "teal"}),
					item("CHALK-300", "Chalk, 300 g", 2, 895, nil),
				},
			},
			history: []step{
				{pending, demo.At(2, 22, 10, 4)}, {paid, demo.At(2, 22, 10, 6)}, {shipped, demo.At(2, 23, 7, 55)},
			},
		},
		{
			order: &orderv1.Order{
				OrderId: demo.AlicePending, UserId: demo.Alice, Labels: map[string]string{"channel": "web", "gift": "yes"},
				Items: []*orderv1.LineItem{
					item("NOVEL-ISLAND", "The island, hardcover", 1, 2290, map[string]string{"language": "en"}),
					item("WRAP-GIFT", "Gift wrapping", 1, 350, nil),
				},
			},
			history: []step{{pending, demo.At(3, 3, 20, 15)}},
		},
	}
}

func bobStories() []story {
	return []story{
		{
			order: &orderv1.Order{
				OrderId: demo.BobPaid, UserId: demo.Bob, Labels: map[string]string{"channel": "web"},
				PaymentIds: []string{demo.BobPayment},
				Items: []*orderv1.LineItem{
					item("LIGHT-SET-USB", "Bicycle lights, front and rear", 1, 5900, map[string]string{"charging": "USB-C"}),
				},
			},
			history: []step{{pending, demo.At(2, 12, 20, 20)}, {paid, demo.At(2, 12, 20, 22)}},
		},
		{
			order: &orderv1.Order{
				OrderId: demo.BobPending, UserId: demo.Bob, Labels: map[string]string{"channel": "app"},
				Items: []*orderv1.LineItem{
					item("TUBE-28", "Inner tube, 28 inch", 3, 790, map[string]string{"valve": "presta"}),
					item("PUMP-MINI", "Mini pump", 1, 2650, nil),
				},
			},
			history: []step{{pending, demo.At(3, 1, 7, 48)}},
		},
	}
}
