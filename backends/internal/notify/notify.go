// Package notify lets a backend tell a user something: it puts the notification into the outbox of the change that it is about, and
// delivers it to the notification service from there.
//
// What a notification says is decided by the service that sends it.
package notify

import (
	"context"
	"database/sql"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/portico-gateway/portico/backends/internal/caller"
	"github.com/portico-gateway/portico/backends/internal/outbox"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
)

// Topic is the outbox topic of notifications.
const Topic = "notification"

// Add stores a notification in the transaction of the change. Its id is set on delivery.
func Add(ctx context.Context, box *outbox.Outbox, tx *sql.Tx, n *notificationv1.CreateNotificationRequest) error {
	payload, err := proto.Marshal(n)
	if err != nil {
		return fmt.Errorf("encode notification: %w", err)
	}

	if err := box.Add(ctx, tx, Topic, payload); err != nil {
		return fmt.Errorf("add notification: %w", err)
	}

	return nil
}

// Handler delivers notifications in the name of a service. The id of the message becomes the id of the notification, so that a
// second delivery changes nothing.
func Handler(conn grpc.ClientConnInterface, service string) outbox.Handler {
	client := notificationv1.NewNotificationServiceClient(conn)
	self := caller.Service(service, "notifications:write")

	return func(ctx context.Context, m outbox.Message) error {
		n := &notificationv1.CreateNotificationRequest{}
		if err := proto.Unmarshal(m.Payload, n); err != nil {
			return fmt.Errorf("%w: decode notification: %w", outbox.ErrRefused, err)
		}

		n.NotificationId = "ntf_" + m.ID
		if _, err := client.CreateNotification(caller.Outgoing(ctx, self.WithRequestID(m.RequestID)), n); err != nil {
			return fmt.Errorf("create notification: %w", err)
		}

		return nil
	}
}
