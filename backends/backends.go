// Package backends runs the services behind the gateway, any set of them in one process: for development, for tests and for the
// backends command.
//
// It is not how the gateway reaches them: they are real gRPC servers on real sockets wherever they run.
package backends

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"sync"
)

// dataDirMode keeps the databases to the user who runs the services.
const dataDirMode = 0o700

// ErrUnknownInstance says that no instance and no service has that name.
var ErrUnknownInstance = errors.New("unknown instance")

// Options say what to run.
type Options struct {
	// DataDir is where the databases live, one file per service ("user.db"), each with a lock beside it ("user.db.lock"), which
	// holds nothing. It is made where there is none.
	DataDir string
	// Instances are the servers to run. Several of one service are replicas over one database.
	Instances []Instance
	// Upstreams are the services that the instances need and that are not among them: a gRPC target each, or the addresses of
	// replicas, separated by commas.
	Upstreams map[string]string
	// Seed writes the demo data set into databases that never had it.
	Seed bool
	// Logger is where everything is logged; nil discards it.
	Logger *slog.Logger
}

// Instance is one server of a service.
type Instance struct {
	// Name is unique: "user-1".
	Name string
	// Service is one of Services.
	Service string
	// Address is where to listen. Port 0 picks a free port, which then stays the instance's own.
	Address string
}

// Status is an instance and whether it is listening.
type Status struct {
	Name    string
	Service string
	Address string
	Running bool
}

// Services gives the names of all services in the order in which they start.
func Services() []string {
	names := make([]string, 0, len(definitions()))
	for _, d := range definitions() {
		names = append(names, d.name)
	}

	return names
}

// DefaultPort is the first port of the default instances.
const DefaultPort = 9001

// DefaultInstances gives the instances of services (all, if none are named) on loopback: two of user, one of each other. Each has a
// port of its own from firstPort up, which does not depend on which services are named. Names that are no services are left out.
func DefaultInstances(firstPort int, services ...string) []Instance {
	var instances []Instance

	port := firstPort

	for _, d := range definitions() {
		for replica := range d.replicas {
			if len(services) == 0 || slices.Contains(services, d.name) {
				instances = append(instances, Instance{
					Name:    d.name + "-" + strconv.Itoa(replica+1),
					Service: d.name,
					Address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)),
				})
			}

			port++
		}
	}

	return instances
}

// Fleet is a set of running services. It is safe for concurrent use.
type Fleet struct {
	logger    *slog.Logger
	instances []*instance
	services  map[string]*service
	workers   sync.WaitGroup
	halt      context.CancelFunc
	closeOnce func() error
}

// Start runs the instances: when it returns, all of them are listening, or none is and the error says why. The context is for
// starting only; the fleet lives until Close.
func Start(ctx context.Context, opts Options) (*Fleet, error) {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}

	if err := validate(opts); err != nil {
		return nil, err
	}

	if err := os.MkdirAll(opts.DataDir, dataDirMode); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}

	life, halt := context.WithCancel(context.WithoutCancel(ctx))
	f := &Fleet{logger: opts.Logger, services: make(map[string]*service), halt: halt}
	f.closeOnce = sync.OnceValue(f.shutdown)

	for _, i := range opts.Instances {
		f.instances = append(f.instances, &instance{Instance: i, logger: opts.Logger.With("instance", i.Name)})
	}

	if err := f.start(ctx, life, opts); err != nil {
		return nil, errors.Join(err, f.Close())
	}

	return f, nil
}

// start binds the addresses before anything else: they tell the services where to find one another.
func (f *Fleet) start(ctx, life context.Context, opts Options) error {
	for _, i := range f.instances {
		if err := i.listen(ctx); err != nil {
			return err
		}
	}

	for _, d := range definitions() {
		if len(f.Addresses()[d.name]) == 0 {
			continue
		}

		s, err := open(ctx, d, f.Addresses(), opts)
		if err != nil {
			return err
		}

		f.services[d.name] = s

		if s.work != nil {
			f.workers.Go(func() { s.work(life) })
		}
	}

	for _, i := range f.instances {
		if err := i.start(ctx, f.services[i.Service].register); err != nil {
			return err
		}
	}

	return nil
}

// Addresses gives the addresses of all instances by service, those that are stopped included.
func (f *Fleet) Addresses() map[string][]string {
	addresses := make(map[string][]string)
	for _, s := range f.Instances() {
		addresses[s.Service] = append(addresses[s.Service], s.Address)
	}

	return addresses
}

// Instances gives all instances in the order in which they were asked for.
func (f *Fleet) Instances() []Status {
	list := make([]Status, 0, len(f.instances))
	for _, i := range f.instances {
		list = append(list, i.status())
	}

	return list
}

// StopInstance stops an instance, or all of a service, as if its process had ended: calls in flight may take up to two seconds
// more. What is stopped already stays so.
func (f *Fleet) StopInstance(name string) error {
	matching, err := f.find(name)
	if err != nil {
		return err
	}

	var stopping sync.WaitGroup
	for _, i := range matching {
		stopping.Go(i.stop)
	}

	stopping.Wait()

	return nil
}

// StartInstance lets an instance, or all of a service, listen again, at the same address and over the same data. What is
// running goes on.
func (f *Fleet) StartInstance(name string) error {
	matching, err := f.find(name)
	if err != nil {
		return err
	}

	failures := make([]error, 0, len(f.services))
	for _, i := range matching {
		failures = append(failures, i.start(context.Background(), f.services[i.Service].register))
	}

	return errors.Join(failures...)
}

func (f *Fleet) find(name string) ([]*instance, error) {
	var matching []*instance

	for _, i := range f.instances {
		if i.Name == name || i.Service == name {
			matching = append(matching, i)
		}
	}

	if len(matching) == 0 {
		return nil, fmt.Errorf("%w: %q", ErrUnknownInstance, name)
	}

	return matching, nil
}

// Close stops all instances, waits for the workers and closes the databases. Calling it again does nothing and gives the same
// error.
func (f *Fleet) Close() error {
	return f.closeOnce()
}

func (f *Fleet) shutdown() error {
	var stopping sync.WaitGroup
	for _, i := range f.instances {
		stopping.Go(i.retire)
	}

	stopping.Wait()

	f.halt()
	f.workers.Wait()

	failures := make([]error, 0, len(f.services))
	for _, s := range f.services {
		failures = append(failures, s.close())
	}

	return errors.Join(failures...)
}

func validate(opts Options) error {
	names := make(map[string]bool)

	for _, i := range opts.Instances {
		switch {
		case !slices.Contains(Services(), i.Service):
			return fmt.Errorf("instance %q: there is no service %q", i.Name, i.Service)
		case i.Name == "" || names[i.Name]:
			return fmt.Errorf("instance %q of service %q: the name must be unique and not empty", i.Name, i.Service)
		case i.Name != i.Service && slices.Contains(Services(), i.Name):
			return fmt.Errorf("instance %q of service %q: the name is that of another service", i.Name, i.Service)
		}

		names[i.Name] = true
	}

	return nil
}
