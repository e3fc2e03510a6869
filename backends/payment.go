package backends

import (
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/payment"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
)

const paymentName = "payment"

func paymentService() definition {
	return definition{
		name: paymentName, replicas: 1, migrations: payment.Migrations, seed: payment.Seed,
		needs: []string{orderName, notificationName},
		build: func(d deps) component {
			s := payment.New(d.db, d.peers[orderName], d.peers[notificationName], d.logger)

			return component{
				register: func(r grpc.ServiceRegistrar) { paymentv1.RegisterPaymentServiceServer(r, s) },
				work:     s.Run,
			}
		},
	}
}
