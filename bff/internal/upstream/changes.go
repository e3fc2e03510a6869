package upstream

import (
	"maps"

	"google.golang.org/grpc/resolver"
)

// changes passes on only results of lookups that change something: other addresses than those that gRPC has, and errors while it
// has none.
//
// With each result gRPC starts with a full retry budget again (maybeApplyDefaultServiceConfig in clientconn.go of grpc 1.85), and
// while addresses fail there are many lookups. Its balancers need no result to connect again.
type changes struct {
	resolver.ClientConn

	// accepted is nil until gRPC has addresses. Only one lookup runs at a time.
	accepted map[string]struct{}
}

// UpdateState implements resolver.ClientConn.
func (c *changes) UpdateState(state resolver.State) error {
	found := addressesOf(state)
	if c.accepted != nil && maps.Equal(found, c.accepted) {
		return nil
	}

	c.accepted = found

	err := c.ClientConn.UpdateState(state)
	if err != nil {
		c.accepted = nil
	}

	return err
}

// ReportError implements resolver.ClientConn.
func (c *changes) ReportError(err error) {
	if c.accepted == nil {
		c.ClientConn.ReportError(err)
	}
}

// addressesOf returns the addresses as a set: DNS changes their order.
func addressesOf(state resolver.State) map[string]struct{} {
	set := map[string]struct{}{}

	for _, endpoint := range state.Endpoints {
		for _, address := range endpoint.Addresses {
			set[address.Addr] = struct{}{}
		}
	}

	for _, address := range state.Addresses {
		set[address.Addr] = struct{}{}
	}

	return set
}
