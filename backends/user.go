package backends

import (
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/user"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

const userName = "user"

// userReplicas is two, so that balancing can be seen at work.
const userReplicas = 2

func userService() definition {
	return definition{
		name: userName, replicas: userReplicas, migrations: user.Migrations, seed: user.Seed,
		build: func(d deps) component {
			s := user.New(d.db)

			return component{register: func(r grpc.ServiceRegistrar) { userv1.RegisterUserServiceServer(r, s) }}
		},
	}
}
