package backends

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/notification"
	"github.com/portico-gateway/portico/backends/internal/order"
	"github.com/portico-gateway/portico/backends/internal/payment"
	"github.com/portico-gateway/portico/backends/internal/peer"
	"github.com/portico-gateway/portico/backends/internal/profile"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
	"github.com/portico-gateway/portico/backends/internal/user"
	notificationv1 "github.com/portico-gateway/portico/gen/notification/v1"
	orderv1 "github.com/portico-gateway/portico/gen/order/v1"
	paymentv1 "github.com/portico-gateway/portico/gen/payment/v1"
	profilev1 "github.com/portico-gateway/portico/gen/profile/v1"
	userv1 "github.com/portico-gateway/portico/gen/user/v1"
)

// Names of the services.
const (
	userName         = "user"
	profileName      = "profile"
	orderName        = "order"
	paymentName      = "payment"
	notificationName = "notification"
)

// userReplicas is two, so that balancing can be seen at work.
const userReplicas = 2

// definition is what there is to know about a service before it runs.
type definition struct {
	name       string
	replicas   int      // By default.
	needs      []string // The services that it calls.
	migrations fs.FS    // In the folder "migrations".
	seed       func(ctx context.Context, db *sql.DB) error
	build      func(d deps) component
}

// deps are what a service is built from.
type deps struct {
	db     *sql.DB
	peers  map[string]*peer.Conn // What it needs, and only that.
	logger *slog.Logger
}

// component is a service without its servers.
type component struct {
	register func(grpc.ServiceRegistrar)
	work     func(ctx context.Context) // Runs beside the servers until ctx ends; nil if there is nothing to do.
}

// definitions are in the order in which the services start: who is needed comes first where that is possible.
func definitions() []definition {
	return []definition{
		{
			name: userName, replicas: userReplicas, migrations: user.Migrations, seed: user.Seed,
			build: func(d deps) component {
				s := user.New(d.db)

				return component{register: func(r grpc.ServiceRegistrar) { userv1.RegisterUserServiceServer(r, s) }}
			},
		},
		{
			name: profileName, replicas: 1, migrations: profile.Migrations, seed: profile.Seed,
			build: func(d deps) component {
				s := profile.New(d.db, d.logger)

				return component{
					register: func(r grpc.ServiceRegistrar) { profilev1.RegisterProfileServiceServer(r, s) },
					work:     s.Run,
				}
			},
		},
		{
			name: orderName, replicas: 1, migrations: order.Migrations, seed: order.Seed,
			needs: []string{userName, notificationName},
			build: func(d deps) component {
				s := order.New(d.db, d.peers[userName], d.peers[notificationName], d.logger)

				return component{
					register: func(r grpc.ServiceRegistrar) { orderv1.RegisterOrderServiceServer(r, s) },
					work:     s.Run,
				}
			},
		},
		{
			name: paymentName, replicas: 1, migrations: payment.Migrations, seed: payment.Seed,
			needs: []string{orderName, notificationName},
			build: func(d deps) component {
				s := payment.New(d.db, d.peers[orderName], d.peers[notificationName], d.logger)

				return component{
					register: func(r grpc.ServiceRegistrar) { paymentv1.RegisterPaymentServiceServer(r, s) },
					work:     s.Run,
				}
			},
		},
		{
			name: notificationName, replicas: 1, migrations: notification.Migrations, seed: notification.Seed,
			build: func(d deps) component {
				s := notification.New(d.db)

				return component{register: func(r grpc.ServiceRegistrar) { notificationv1.RegisterNotificationServiceServer(r, s) }}
			},
		},
	}
}

// service is a component with what it holds open.
type service struct {
	component

	db    *sql.DB
	peers map[string]*peer.Conn
}

// open makes a service ready to be served. The addresses are of the instances in this process, by service.
func open(ctx context.Context, def definition, addresses map[string][]string, opts Options) (*service, error) {
	s := &service{peers: make(map[string]*peer.Conn)}
	if err := s.connect(ctx, def, addresses, opts); err != nil {
		return nil, errors.Join(fmt.Errorf("service %s: %w", def.name, err), s.close())
	}

	s.component = def.build(deps{db: s.db, peers: s.peers, logger: opts.Logger.With("service", def.name)})

	return s, nil
}

func (s *service) connect(ctx context.Context, def definition, addresses map[string][]string, opts Options) error {
	for _, name := range def.needs {
		conn, err := dial(name, addresses, opts.Upstreams)
		if err != nil {
			return err
		}

		s.peers[name] = conn
	}

	migrations, err := fs.Sub(def.migrations, "migrations")
	if err != nil {
		return fmt.Errorf("find migrations: %w", err)
	}

	if s.db, err = sqlstore.Open(ctx, filepath.Join(opts.DataDir, def.name+".db"), migrations); err != nil {
		return fmt.Errorf("open store: %w", err)
	}

	if !opts.Seed {
		return nil
	}

	return def.seed(ctx, s.db)
}

func dial(name string, addresses map[string][]string, upstreams map[string]string) (*peer.Conn, error) {
	if len(addresses[name]) > 0 {
		return peer.DialAddresses(addresses[name])
	}

	target, ok := upstreams[name]
	if !ok {
		return nil, fmt.Errorf("it needs the %s service, which is neither run here nor named as an upstream", name)
	}

	return peer.Dial(target)
}

// close may find a service that was opened only in part.
func (s *service) close() error {
	var failures []error

	for name, conn := range s.peers {
		if err := conn.Close(); err != nil {
			failures = append(failures, fmt.Errorf("close connection to %s: %w", name, err))
		}
	}

	if s.db != nil {
		if err := s.db.Close(); err != nil {
			failures = append(failures, fmt.Errorf("close database: %w", err))
		}
	}

	return errors.Join(failures...)
}
