package backends

import (
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/notification"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
)

const notificationName = "notification"

func notificationService() definition {
	return definition{
		name: notificationName, replicas: 1, migrations: notification.Migrations, seed: notification.Seed,
		build: func(d deps) component {
			s := notification.New(d.db)

			return component{register: func(r grpc.ServiceRegistrar) { notificationv1.RegisterNotificationServiceServer(r, s) }}
		},
	}
}
