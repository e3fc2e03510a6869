package notification

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/portico-gateway/portico/backends/internal/demo"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
)

// Seed writes the demo notifications, once in the life of the database.
func Seed(ctx context.Context, db *sql.DB) error {
	err := sqlstore.Once(ctx, db, func(tx *sql.Tx) error {
		for _, n := range demoNotifications() {
			if err := insert(ctx, tx, n); err != nil {
				return err
			}
		}

		return nil
	})
	if err != nil {
		return fmt.Errorf("seed notifications: %w", err)
	}

	return nil
}

func demoNotifications() []*notificationv1.Notification {
	const (
		account = notificationv1.NotificationKind_NOTIFICATION_KIND_ACCOUNT
		order   = notificationv1.NotificationKind_NOTIFICATION_KIND_ORDER
		payment = notificationv1.NotificationKind_NOTIFICATION_KIND_PAYMENT
	)

	return []*notificationv1.Notification{
		{
			NotificationId: demo.AliceWelcome, UserId: demo.Alice, Kind: account,
			Title: "Welcome, Alice", Body: "Your account is open.",
			CreateTime: demo.At(1, 26, 9, 12), ReadTime: demo.At(1, 26, 9, 15),
		},
		{
			NotificationId: demo.AliceDeliveryNote, UserId: demo.Alice, Kind: order,
			Title: "Your order was delivered", Body: "We hope that you like it.",
			Data:       map[string]string{"order_id": demo.AliceDelivered},
			CreateTime: demo.At(2, 7, 11, 40), ReadTime: demo.At(2, 7, 19, 5),
		},
		{
			NotificationId: demo.AliceRefundNote, UserId: demo.Alice, Kind: payment,
			Title: "You get money back", Body: "14.90 EUR are on their way to you.",
			Data:       map[string]string{"order_id": demo.AliceDelivered, "payment_id": demo.AliceDeliveredPayment},
			CreateTime: demo.At(2, 10, 14, 0),
		},
		{
			NotificationId: demo.AliceShippingNote, UserId: demo.Alice, Kind: order,
			Title: "Your order was shipped", Body: "It should arrive within three days.",
			Data:       map[string]string{"order_id": demo.AliceShipped},
			CreateTime: demo.At(2, 23, 7, 55),
		},
		{
			NotificationId: demo.BobPaymentNote, UserId: demo.Bob, Kind: payment,
			Title: "We got your payment", Body: "59.00 EUR, thank you.",
			Data:       map[string]string{"order_id": demo.BobPaid, "payment_id": demo.BobPayment},
			CreateTime: demo.At(2, 12, 20, 22),
		},
	}
}
