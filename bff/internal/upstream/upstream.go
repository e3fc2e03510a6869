// Package upstream holds the connections to the backends. It is the only place that dials. Every call on its connections is
// balanced, guarded by a breaker, measured, and carries the metadata that the gateway writes, and nothing else.
package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/breaker"
)

// Config is one backend.
type Config struct {
	// Addresses are host:port pairs that are used in turn. Exclusive with Target.
	Addresses []string
	// Target is a gRPC name, such as "dns:///user.prod.svc:9000" (gRPC Name Resolution).
	Target string
	// TLS is how a connection that is made now is encrypted. It must be safe for concurrent use. Nil: none is.
	TLS func() *tls.Config
	// Breaker guards all of its addresses together.
	Breaker breaker.Settings
	// Metadata is what it gets beyond what all backends get.
	Metadata Metadata
}

// Observer is told of every call and of every change of a breaker. Its methods must be safe for concurrent use and not block.
type Observer interface {
	ObserveCall(upstream, rpc string, code codes.Code, took time.Duration)
	ObserveBreaker(upstream string, state breaker.State)
}

// Pool is a set of connections, one per backend. It is safe for concurrent use.
type Pool struct {
	upstreams map[string]*upstream
}

type upstream struct {
	name     string
	conn     *grpc.ClientConn
	breaker  *breaker.Breaker
	metadata Metadata
}

// Deps are what a pool works with.
type Deps struct {
	Logger   *slog.Logger
	Observer Observer
	// Unary and Stream run first on every call.
	Unary  grpc.UnaryClientInterceptor
	Stream grpc.StreamClientInterceptor
}

// Open makes a connection for each of the backends. None is dialled before its first call. The caller closes the pool.
func Open(configs map[string]Config, deps Deps) (*Pool, error) {
	p := &Pool{upstreams: make(map[string]*upstream, len(configs))}

	for name, config := range configs {
		u := &upstream{name: name, breaker: breaker.New(name, config.Breaker, onChange(deps)), metadata: config.Metadata}
		deps.Observer.ObserveBreaker(name, breaker.Closed)

		conn, err := dial(config, u.interceptors(deps))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("upstream %s: %w", name, err), p.Close())
		}

		u.conn = conn
		p.upstreams[name] = u
	}

	return p, nil
}

func onChange(deps Deps) func(name string, from, to breaker.State) {
	return func(name string, from, to breaker.State) {
		deps.Observer.ObserveBreaker(name, to)
		deps.Logger.LogAttrs(context.Background(), slog.LevelWarn, "circuit breaker changed",
			slog.String("upstream", name), slog.String("from", from.String()), slog.String("to", to.String()))
	}
}

// Conn returns the connection to a backend. The pool closes it.
func (p *Pool) Conn(name string) (*grpc.ClientConn, error) {
	u, ok := p.upstreams[name]
	if !ok {
		return nil, fmt.Errorf("upstream %q is not configured; known are %q", name, p.Names())
	}

	return u.conn, nil
}

// Names lists the backends in alphabetical order.
func (p *Pool) Names() []string {
	names := make([]string, 0, len(p.upstreams))
	for name := range p.upstreams {
		names = append(names, name)
	}

	slices.Sort(names)

	return names
}

// Status is how a backend stands.
type Status struct {
	Name         string `json:"name"`
	Connectivity string `json:"connectivity"`
	Breaker      string `json:"breaker"`
}

// Statuses tells how each backend stands, in alphabetical order.
func (p *Pool) Statuses() []Status {
	statuses := make([]Status, 0, len(p.upstreams))

	for _, name := range p.Names() {
		u := p.upstreams[name]
		statuses = append(statuses, Status{
			Name: name, Connectivity: u.conn.GetState().String(), Breaker: u.breaker.State().String(),
		})
	}

	return statuses
}

// Close ends all connections, and the calls on them.
func (p *Pool) Close() error {
	var faults []error

	for name, u := range p.upstreams {
		if err := u.conn.Close(); err != nil {
			faults = append(faults, fmt.Errorf("close upstream %s: %w", name, err))
		}
	}

	return errors.Join(faults...)
}
