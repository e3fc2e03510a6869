// Package upstream has the connections to the backends. It is the only place that dials. Every call on its connections is balanced,
// limited, guarded by breakers, retried where that is safe, measured, and has the metadata that the gateway writes, and nothing
// else.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/resource"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
	"github.com/portico-gateway/portico/bff/internal/upstream/concurrency"
)

// Observer counts calls, changes of breakers, and ejections of addresses. Its methods must be safe for concurrent use and not
// block.
type Observer interface {
	balance.Observer

	// ObserveCall counts a call.
	ObserveCall(call CallResult)
	// ObserveRefusedCall counts a call that was not made, and why.
	ObserveRefusedCall(upstream, rpc string, reason reqinfo.Reason)
	// ObserveBreaker is for the breaker of the method, or, if rpc is empty, of the whole upstream.
	ObserveBreaker(upstream, rpc string, state breaker.State)
}

// Pool is a set of connections, one per backend. It is safe for concurrent use.
type Pool struct {
	upstreams map[string]member
	// own is the lease of a pool that shares nothing. Nil: it has that of Deps.
	own *resource.Lease
}

// member is a backend in a pool.
type member struct {
	*upstream

	// front is the connection as the pool uses it.
	front *grpc.ClientConn
}

// upstream is a backend, as all pools use it whose configuration of it is the same.
type upstream struct {
	name    string
	conn    *grpc.ClientConn
	group   *balance.Group
	breaker *breaker.Breaker
	methods map[string]*method
	limiter *concurrency.Limiter
	// overloaded is the error of a call that the limiter refuses.
	overloaded error
	// maxReceive is the largest message that is taken, in bytes.
	maxReceive int
	// inFlight counts the calls that have not ended, with streams.
	inFlight atomic.Int64
	// delay is that of Deps.
	delay func(since time.Time) time.Duration
	// controlled reports that a control plane balances the calls.
	controlled bool
	// traced is that of Deps.
	traced bool
}

// Deps are the collaborators of a pool.
type Deps struct {
	Logger   *slog.Logger
	Observer Observer
	// Delay returns the longest time since then that work has waited for a CPU of the gateway itself. It must be safe for
	// concurrent use. Nil: it never waits.
	Delay func(since time.Time) time.Duration
	// Traced reports that requests may have spans.
	Traced bool
	// Unary and Stream run first on every call of the pool.
	Unary  grpc.UnaryClientInterceptor
	Stream grpc.StreamClientInterceptor
	// Shared is what the pool shares with others: connections, breakers and limits. All pools of its set must have the same
	// Logger, Observer, Delay and dial options. Nil: it shares nothing.
	Shared *resource.Lease
}

// Open makes a connection for each of the backends. None is dialled before its first call. The caller closes the pool, or releases
// the lease of what is shared.
func Open(configs map[string]Config, deps Deps) (*Pool, error) {
	p := &Pool{upstreams: make(map[string]member, len(configs))}

	if deps.Shared == nil {
		p.own = resource.NewSet().Lease()
		deps.Shared = p.own
	}

	for name, config := range configs {
		if err := p.add(name, config, deps); err != nil {
			return nil, errors.Join(fmt.Errorf("upstream %s: %w", name, err), p.Close())
		}
	}

	if p.own != nil {
		p.own.Commit()
	}

	return p, nil
}

// add makes the connection of a backend, unless it is shared.
func (p *Pool) add(name string, config Config, deps Deps) error {
	u, err := resource.Take(deps.Shared, "upstream", config.key(name), func(own *resource.Lease) (*upstream, error) {
		u := newUpstream(own, name, config, deps)

		conn, err := dial(config, u.group, u.interceptors(deps.Observer, config.DialOptions))
		if err != nil {
			return nil, err
		}

		u.conn = conn
		own.AtEnd(conn.Close)

		return u, nil
	})
	if err != nil {
		return err
	}

	front, err := newFront(u, config.Metadata, deps)
	if err != nil {
		return err
	}

	deps.Shared.AtEnd(front.Close)
	p.upstreams[name] = member{upstream: u, front: front}

	return nil
}

func newUpstream(own *resource.Lease, name string, config Config, deps Deps) *upstream {
	return &upstream{
		name:    name,
		group:   newGroup(name, config, deps),
		breaker: takeBreaker(own, name, "", config, config.Breaker, deps),
		methods: newMethods(own, name, config, deps),
		limiter: takeLimiter(own, name, config), maxReceive: config.MaxReceiveBytes,
		overloaded: problem.Refusal(fmt.Errorf("%s: %w", name, ErrOverloaded), reqinfo.ReasonConcurrency, retryAfter),
		delay:      deps.Delay,
		controlled: controlled(config.Target),
		traced:     deps.Traced,
	}
}

func onChange(deps Deps, upstream, rpc string) func(from, to breaker.State) {
	attrs := []slog.Attr{slog.String("upstream", upstream)}
	if rpc != "" {
		attrs = append(attrs, slog.String("rpc", reqinfo.Selector(rpc)))
	}

	return func(from, to breaker.State) {
		deps.Observer.ObserveBreaker(upstream, rpc, to)
		deps.Logger.LogAttrs(context.Background(), slog.LevelWarn, "circuit breaker changed",
			append(slices.Clip(attrs), slog.String("from", from.String()), slog.String("to", to.String()))...)
	}
}

// Conn returns the connection to a backend. The pool closes it.
func (p *Pool) Conn(name string) (*grpc.ClientConn, error) {
	u, ok := p.upstreams[name]
	if !ok {
		return nil, fmt.Errorf("upstream %q is not configured; known are %q", name, p.Names())
	}

	return u.front, nil
}

// Names lists the backends in alphabetical order.
func (p *Pool) Names() []string { return slices.Sorted(maps.Keys(p.upstreams)) }

// Status is the state of a backend.
type Status struct {
	Name         string `json:"name"`
	Connectivity string `json:"connectivity"`
	Breaker      string `json:"breaker"`
	// Forced reports that an operator holds the breaker in its state.
	Forced bool `json:"forced,omitempty"`
	// Methods are the states of the breakers that methods have of their own, by the full names of the methods.
	Methods map[string]string `json:"methods,omitempty"`
	// ForcedMethods are those whose breakers an operator holds.
	ForcedMethods []string `json:"forced_methods,omitempty"`
	// Limit is how many calls may wait for their reply, and InFlight how many do. Both are zero if there is no limit.
	Limit    int `json:"limit"`
	InFlight int `json:"in_flight"`
	// Calls is how many calls have not ended, with the streams that have had a reply.
	Calls int `json:"calls"`
	// Addresses are those that calls are balanced over.
	Addresses []balance.Address `json:"addresses,omitempty"`
}

// Statuses returns the state of each backend, in alphabetical order.
func (p *Pool) Statuses() []Status {
	statuses := make([]Status, 0, len(p.upstreams))

	for _, name := range p.Names() {
		statuses = append(statuses, p.upstreams[name].status())
	}

	return statuses
}

// Status returns the state of a backend; the zero value if there is none of that name.
func (p *Pool) Status(name string) Status {
	u, ok := p.upstreams[name]
	if !ok {
		return Status{}
	}

	return u.status()
}

func (u *upstream) status() Status {
	limit, inFlight := u.limiter.Limit()
	s := Status{
		Name: u.name, Connectivity: u.conn.GetState().String(), Breaker: u.breaker.State().String(),
		Forced: u.breaker.Forced(),
		Limit:  limit, InFlight: inFlight, Calls: int(u.inFlight.Load()), Addresses: u.group.Addresses(),
	}

	for rpc, method := range u.methods {
		if method.breaker == nil {
			continue
		}

		if s.Methods == nil {
			s.Methods = map[string]string{}
		}

		selector := reqinfo.Selector(rpc)

		s.Methods[selector] = method.breaker.State().String()
		if method.breaker.Forced() {
			s.ForcedMethods = append(s.ForcedMethods, selector)
		}
	}

	slices.Sort(s.ForcedMethods)

	return s
}

// Close ends all connections, and the calls on them, unless the pool shares them: then the end of its lease does.
func (p *Pool) Close() error {
	if p.own == nil {
		return nil
	}

	if err := p.own.Release(); err != nil {
		return fmt.Errorf("close upstreams: %w", err)
	}

	return nil
}
