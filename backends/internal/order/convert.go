package order

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/etag"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	moneyv1 "github.com/portico-gateway/portico/gen/money/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

// Columns are in the order in which they are read and written.
const (
	orderColumns = `order_id, user_id, status, currency, total_units, total_nanos, total_quantity, note, labels, cancel_reason,
		create_time, update_time, destination, revision, payment_ids`
	itemColumns = `order_id, sku, title, quantity, price_units, price_nanos, attributes`
)

// scanOrder leaves the items out.
func scanOrder(row sqlstore.Row) (*orderv1.Order, error) {
	var (
		o                = orderv1.Order{Total: &moneyv1.Money{}}
		labels           sqlstore.JSON[map[string]string]
		created, updated int64
		revision         int64
		destination      []byte
		payments         sqlstore.JSON[[]string]
	)

	err := row.Scan(&o.OrderId, &o.UserId, &o.Status, &o.Total.CurrencyCode, &o.Total.Units, &o.Total.Nanos,
		&o.TotalQuantity, &o.Note, &labels, &o.CancelReason, &created, &updated, &destination, &revision, &payments)
	if err != nil {
		return nil, fmt.Errorf("read order: %w", err)
	}

	if err := unpackDestination(&o, destination); err != nil {
		return nil, err
	}

	o.Labels = labels.V
	o.PaymentIds = payments.V
	o.Etag = etag.Of(revision)
	o.CreateTime = sqlstore.Timestamp(created)
	o.UpdateTime = sqlstore.Timestamp(updated)

	return &o, nil
}

// packDestination gives the destination of an order as it is stored: an order with nothing else. Nil: it has none.
func packDestination(o *orderv1.Order) ([]byte, error) {
	if o.GetDestination() == nil {
		return nil, nil
	}

	packed, err := proto.Marshal(&orderv1.Order{Destination: o.GetDestination()})
	if err != nil {
		return nil, fmt.Errorf("pack destination: %w", err)
	}

	return packed, nil
}

func unpackDestination(o *orderv1.Order, packed []byte) error {
	var from orderv1.Order
	if err := proto.Unmarshal(packed, &from); err != nil {
		return fmt.Errorf("unpack destination: %w", err)
	}

	o.Destination = from.GetDestination()

	return nil
}

// orderItem is an item and the order that it is of.
type orderItem struct {
	*orderv1.LineItem

	orderID string
}

// scanItem leaves the currency out: it is the order's.
func scanItem(row sqlstore.Row) (orderItem, error) {
	var (
		item       = orderItem{LineItem: &orderv1.LineItem{UnitPrice: &moneyv1.Money{}}}
		attributes sqlstore.JSON[map[string]string]
	)

	err := row.Scan(&item.orderID, &item.Sku, &item.Title, &item.Quantity,
		&item.UnitPrice.Units, &item.UnitPrice.Nanos, &attributes)
	if err != nil {
		return orderItem{}, fmt.Errorf("read item: %w", err)
	}

	item.Attributes = attributes.V

	return item, nil
}
