package upstream

import (
	"errors"
	"fmt"

	"google.golang.org/grpc/connectivity"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/balance"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// Why an operator's wish cannot be met.
var (
	// ErrNotFound: there is no such backend, method with a breaker of its own, or address.
	ErrNotFound = errors.New("not found")
	// ErrConflict: it cannot be done now.
	ErrConflict = errors.New("not possible now")

	errControlled = errors.New("a control plane (xds) balances its calls")
)

// Breaker returns the breaker of a backend or, with a method as in a selector, that of the method. The error is ErrNotFound.
func (p *Pool) Breaker(name, rpc string) (*breaker.Breaker, error) {
	u, ok := p.upstreams[name]
	if !ok {
		return nil, fmt.Errorf("%w: there is no upstream %q", ErrNotFound, name)
	}

	if rpc == "" {
		return u.breaker, nil
	}

	for full, method := range u.methods {
		if method.breaker != nil && reqinfo.Selector(full) == rpc {
			return method.breaker, nil
		}
	}

	return nil, fmt.Errorf("%w: upstream %s has no method %q with a breaker of its own", ErrNotFound, name, rpc)
}

// Drain keeps new calls away from an address of a backend, or ends that: see balance.Group. The error is ErrNotFound or
// ErrConflict.
func (p *Pool) Drain(name, address string, drained bool) error {
	u, ok := p.upstreams[name]

	switch {
	case !ok:
		return fmt.Errorf("%w: there is no upstream %q", ErrNotFound, name)
	case u.controlled:
		return fmt.Errorf("%w: upstream %s: %w", ErrConflict, name, errControlled)
	}

	err := u.group.Drain(address, drained)

	switch {
	case err == nil:
		return nil
	case errors.Is(err, balance.ErrNoAddress):
		return fmt.Errorf("%w: upstream %s, address %q: %w", ErrNotFound, name, address, err)
	default:
		return fmt.Errorf("%w: upstream %s, address %q: %w", ErrConflict, name, address, err)
	}
}

// Connect makes the connections that no call has needed yet, in the background, so that their state is known.
func (p *Pool) Connect() {
	for _, u := range p.upstreams {
		if u.conn.GetState() == connectivity.Idle {
			u.conn.Connect()
		}
	}
}
