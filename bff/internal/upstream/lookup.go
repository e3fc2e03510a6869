package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/serviceconfig"
)

// lookUp resolves a target once and returns its addresses, in order.
func lookUp(ctx context.Context, target string) ([]string, error) {
	builder, parsed, err := resolverOf(target)
	if err != nil {
		return nil, err
	}

	first := &firstResult{results: make(chan resolver.State, 1), errs: make(chan error, 1)}

	looking, err := builder.Build(parsed, first, resolver.BuildOptions{DisableServiceConfig: true})
	if err != nil {
		return nil, fmt.Errorf("resolve %s: %w", target, err)
	}
	defer looking.Close()

	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("resolve %s: %w", target, ctx.Err())
	case err := <-first.errs:
		return nil, fmt.Errorf("resolve %s: %w", target, err)
	case state := <-first.results:
		if found := listAddresses(state); len(found) > 0 {
			return found, nil
		}

		return nil, fmt.Errorf("resolve %s: %w", target, errNoAddresses)
	}
}

// resolverOf returns the resolver that gRPC would use: that of the scheme, or DNS for the whole text.
func resolverOf(target string) (resolver.Builder, resolver.Target, error) {
	for _, text := range []string{target, "dns:///" + target} {
		if u, err := url.Parse(text); err == nil {
			if builder := resolver.Get(u.Scheme); builder != nil {
				return builder, resolver.Target{URL: *u}, nil
			}
		}
	}

	return nil, resolver.Target{}, fmt.Errorf("nothing resolves %q", target)
}

func listAddresses(state resolver.State) []string {
	found := make([]string, 0, len(state.Addresses))

	for _, address := range state.Addresses {
		found = append(found, address.Addr)
	}

	for _, endpoint := range state.Endpoints {
		for _, address := range endpoint.Addresses {
			if !slices.Contains(found, address.Addr) {
				found = append(found, address.Addr)
			}
		}
	}

	for i, address := range found {
		// The resolver of Unix sockets returns their paths.
		if strings.HasPrefix(address, "/") {
			found[i] = "unix:" + address
		}
	}

	return found
}

// firstResult implements resolver.ClientConn. It takes the first result.
type firstResult struct {
	resolver.ClientConn

	results chan resolver.State
	errs    chan error
}

// UpdateState implements resolver.ClientConn.
func (f *firstResult) UpdateState(state resolver.State) error {
	select {
	case f.results <- state:
	default:
	}

	return nil
}

// ReportError implements resolver.ClientConn.
func (f *firstResult) ReportError(err error) {
	select {
	case f.errs <- err:
	default:
	}
}

// ParseServiceConfig implements resolver.ClientConn.
func (*firstResult) ParseServiceConfig(string) *serviceconfig.ParseResult {
	return &serviceconfig.ParseResult{Err: errors.New("there is none")}
}
