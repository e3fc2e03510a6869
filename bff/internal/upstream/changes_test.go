package upstream

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/resolver"
)

// results records what reaches gRPC.
type results struct {
	resolver.ClientConn

	list []string
	err  error
}

func (r *results) UpdateState(state resolver.State) error {
	addresses := make([]string, 0, len(state.Addresses))
	for _, address := range state.Addresses {
		addresses = append(addresses, address.Addr)
	}

	r.list = append(r.list, strings.Join(addresses, " "))

	return r.err
}

func (r *results) ReportError(err error) { r.list = append(r.list, err.Error()) }

func at(addresses ...string) resolver.State {
	var state resolver.State
	for _, address := range addresses {
		state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
	}

	return state
}

func TestOnlyChangesReachGRPC(t *testing.T) {
	t.Parallel()

	fault := errors.New("SERVFAIL")
	grpc := &results{}
	c := &changes{ClientConn: grpc}

	update := func(want error, addresses ...string) {
		t.Helper()

		if err := c.UpdateState(at(addresses...)); !errors.Is(err, want) {
			t.Errorf("%v ended with %v, want %v", addresses, err, want)
		}
	}

	// Without addresses, all errors matter.
	c.ReportError(fault)
	c.ReportError(fault)

	grpc.err = errors.New("refused")

	update(grpc.err, "a", "b")
	c.ReportError(fault)

	refused := grpc.err
	grpc.err = nil

	update(nil, "a", "b")
	update(nil, "b", "a")
	c.ReportError(fault)
	update(nil, "a", "b")
	update(nil, "a")
	update(nil, "a", "b")

	grpc.err = refused

	update(refused, "c")

	grpc.err = nil

	update(nil, "a", "b")

	want := []string{"SERVFAIL", "SERVFAIL", "a b", "SERVFAIL", "a b", "a", "a b", "c", "a b"}
	if !slices.Equal(grpc.list, want) {
		t.Errorf("got %q, want %q", grpc.list, want)
	}
}
