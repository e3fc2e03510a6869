package backends

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/backends/internal/rpcserver"
)

// stopBound is how long calls in flight may take when an instance stops.
const stopBound = 2 * time.Second

// errRetired says that the fleet is closed.
var errRetired = errors.New("the fleet is closed")

// instance is one server of a service, over and over: each start makes a new one on the same address.
type instance struct {
	Instance

	logger *slog.Logger

	// One of start, stop and retire at a time.
	switching sync.Mutex
	retired   bool
	listener  net.Listener // Bound and not yet served.

	// Guards what status reads and what start and stop change.
	mu      sync.Mutex
	server  *rpcserver.Server
	address string
	served  chan struct{} // Closed when the server has ended.
}

// listen binds the address. An instance that was given port 0 keeps the port that it gets.
func (i *instance) listen(ctx context.Context) error {
	address := i.status().Address

	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("instance %s cannot listen on %s: %w", i.Name, address, err)
	}

	if _, port, err := net.SplitHostPort(address); err == nil && port == "0" {
		address = listener.Addr().String()
	}

	i.listener = listener

	i.mu.Lock()
	defer i.mu.Unlock()

	i.address = address

	return nil
}

// start serves, and binds the address first unless that is done.
func (i *instance) start(ctx context.Context, register func(grpc.ServiceRegistrar)) error {
	i.switching.Lock()
	defer i.switching.Unlock()

	if i.retired {
		return fmt.Errorf("start instance %s: %w", i.Name, errRetired)
	}

	if i.status().Running {
		return nil
	}

	if i.listener == nil {
		if err := i.listen(ctx); err != nil {
			return err
		}
	}

	listener, server, served := i.listener, rpcserver.New(i.logger, register), make(chan struct{})
	i.listener = nil

	i.mu.Lock()
	i.server, i.served = server, served
	i.mu.Unlock()

	go func() {
		defer close(served)

		if err := server.Serve(listener); err != nil {
			i.logger.Error("server ended", "error", err)
			// It accepts nothing more, and what it accepted before would go on unseen.
			server.Stop(stopBound)
		}

		i.ended(server)
	}()

	i.logger.InfoContext(ctx, "serving", "service", i.Service, "address", i.status().Address)

	return nil
}

// ended forgets a server that serves no more.
func (i *instance) ended(server *rpcserver.Server) {
	i.mu.Lock()
	defer i.mu.Unlock()

	if i.server == server {
		i.server = nil
	}
}

// stop waits until all handlers have returned.
func (i *instance) stop() {
	i.switching.Lock()
	defer i.switching.Unlock()

	i.halt()
}

// retire stops for good.
func (i *instance) retire() {
	i.switching.Lock()
	defer i.switching.Unlock()

	i.retired = true
	i.halt()

	if i.listener != nil {
		_ = i.listener.Close() // Nobody was ever served on it.
		i.listener = nil
	}
}

// halt needs the lock of stop.
func (i *instance) halt() {
	i.mu.Lock()
	server, served := i.server, i.served
	i.mu.Unlock()

	if server == nil {
		return
	}

	server.Stop(stopBound)
	<-served

	i.logger.Info("stopped", "service", i.Service, "address", i.status().Address)
}

func (i *instance) status() Status {
	i.mu.Lock()
	defer i.mu.Unlock()

	address := i.address
	if address == "" {
		address = i.Address
	}

	return Status{Name: i.Name, Service: i.Service, Address: address, Running: i.server != nil}
}
