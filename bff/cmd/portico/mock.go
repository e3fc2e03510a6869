package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/tool/mock"
)

// allMocks means every service.
const allMocks = "all"

func addMockFlag(cmd *cobra.Command, into *[]string) {
	cmd.Flags().StringSliceVar(into, "mock", nil,
		`services to mock, "order.v1.OrderService", or "all"; separated by commas, or the flag again`)
}

// mockSet are the services that are mocked. Without any, no server runs.
type mockSet struct {
	server    *mock.Server
	services  []string
	upstreams []string
}

// startMocks runs the mocks of the named services.
func startMocks(ctx context.Context, names []string, known []bff.Service, logger *slog.Logger) (*mockSet, error) {
	m := &mockSet{}
	if len(names) == 0 {
		return m, nil
	}

	services, err := mocked(names, known)
	if err != nil {
		return nil, err
	}

	for _, service := range services {
		m.services = append(m.services, service.Name)

		if !slices.Contains(m.upstreams, service.Upstream) {
			m.upstreams = append(m.upstreams, service.Upstream)
		}
	}

	m.server, err = mock.Start(ctx, mock.Options{
		Services: m.services, Fail: func(err error) { logger.Error("mocks ended", "error", err) },
	})
	if err != nil {
		return nil, err
	}

	return m, nil
}

// mocked returns the services of the names. Composites are never mocked: they run inside the gateway. The services of an upstream
// are mocked together, as composites call upstreams.
func mocked(names []string, known []bff.Service) ([]bff.Service, error) {
	services := slices.DeleteFunc(slices.Clone(known), func(s bff.Service) bool { return s.Composite })

	possible := make([]string, 0, len(services))
	for _, service := range services {
		possible = append(possible, service.Name)
	}

	// The name that an upstream is mocked for.
	upstreams := map[string]string{}

	for _, name := range names {
		if at := slices.Index(possible, name); at >= 0 {
			upstreams[services[at].Upstream] = name
		} else if name != allMocks {
			return nil, usagef("--mock %s: there is no such service%s\nservices that can be mocked: %s, or all",
				name, hint.DidYouMean(name, possible), strings.Join(possible, ", "))
		}
	}

	if slices.Contains(names, allMocks) {
		return services, nil
	}

	for _, service := range services {
		if name := upstreams[service.Upstream]; name != "" && !slices.Contains(names, service.Name) {
			return nil, usagef("--mock %s: its upstream %q serves %s too, and is mocked as a whole: --mock %s,%s",
				name, service.Upstream, service.Name, strings.Join(names, ","), service.Name)
		}
	}

	return slices.DeleteFunc(services, func(s bff.Service) bool { return upstreams[s.Upstream] == "" }), nil
}

// without leaves out the backends that are mocked.
func (m *mockSet) without(instances []backends.Instance) []backends.Instance {
	return slices.DeleteFunc(instances, func(i backends.Instance) bool { return slices.Contains(m.upstreams, i.Service) })
}

// targets are the addresses of the mocks, by upstream.
func (m *mockSet) targets() map[string]string {
	targets := map[string]string{}
	for _, upstream := range m.upstreams {
		targets[upstream] = m.server.Address()
	}

	return targets
}

// in replaces the upstreams that are mocked, even configured ones.
func (m *mockSet) in(upstreams map[string]config.Upstream) map[string]config.Upstream {
	all := maps.Clone(upstreams)
	for upstream, address := range m.targets() {
		all[upstream] = config.Upstream{Addresses: []string{address}}
	}

	return all
}

// list prints the services that are mocked.
func (m *mockSet) list(w io.Writer) {
	if len(m.services) == 0 {
		return
	}

	// An error has nowhere to go.
	_, _ = fmt.Fprintf(w, "Mocked, with replies made from the protos; nothing is stored:\n\n  %s\n\n",
		strings.Join(m.services, "\n  "))
}

func (m *mockSet) close() {
	if m.server != nil {
		m.server.Close()
	}
}
