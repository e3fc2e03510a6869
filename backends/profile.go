package backends

import (
	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/profile"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
)

func profileService() definition {
	return definition{
		name: "profile", replicas: 1, migrations: profile.Migrations, seed: profile.Seed,
		build: func(d deps) component {
			s := profile.New(d.db)

			return component{register: func(r grpc.ServiceRegistrar) { profilev1.RegisterProfileServiceServer(r, s) }}
		},
	}
}
