package backends

import (
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/order"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
)

const orderName = "order"

func orderService() definition {
	return definition{
		name: orderName, replicas: 1, migrations: order.Migrations, seed: order.Seed,
		needs: []string{userName, paymentName, notificationName},
		build: func(d deps) component {
			s := order.New(d.db, d.peers[userName], d.peers[paymentName], d.peers[notificationName], d.logger)

			return component{
				register: func(r grpc.ServiceRegistrar) { orderv1.RegisterOrderServiceServer(r, s) },
				work:     s.Run,
			}
		},
	}
}
