package backends

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strings"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/peer"
	"github.com/portico-gateway/portico/backends/internal/sqlstore"
)

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
	peers  map[string]*grpc.ClientConn // What it needs, and only that.
	logger *slog.Logger
}

// component is a service without its servers.
type component struct {
	register func(grpc.ServiceRegistrar)
	work     func(ctx context.Context) // Runs beside the servers until ctx ends; nil if there is nothing to do.
}

// service is a component with what it holds open.
type service struct {
	component

	db    *sql.DB
	peers map[string]*grpc.ClientConn
}

// open makes a service ready to be served. The addresses are of the instances in this process, by service.
func open(ctx context.Context, def definition, addresses map[string][]string, opts Options) (*service, error) {
	s := &service{peers: make(map[string]*grpc.ClientConn)}
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

func dial(name string, addresses map[string][]string, upstreams map[string]string) (*grpc.ClientConn, error) {
	if len(addresses[name]) > 0 {
		return peer.Dial(strings.Join(addresses[name], ","))
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
