package main

import (
	"cmp"
	"log/slog"
	"maps"
	"math"
	"os"
	"reflect"
	"strconv"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/gen"
)

// instances are the backends, each with a port of its own.
func (d *dev) instances() ([]backends.Instance, error) {
	setting, port := "--backend-port", d.backendPort
	if port == 0 {
		setting = "PORTICO_DEV_BACKEND_PORT"
		text := cmp.Or(os.Getenv(setting), strconv.Itoa(backends.DefaultPort))

		var err error
		if port, err = strconv.Atoi(text); err != nil {
			return nil, usagef("%s: %w", setting, hint.ValueError(reflect.TypeFor[int](), text))
		}
	}

	instances := backends.DefaultInstances(port)
	if last := math.MaxUint16 - len(instances) + 1; port < 1 || port > last {
		return nil, usagef("%s: must be from 1 to %d, not %d: the %d backends take one port each from there up",
			setting, last, port, len(instances))
	}

	return instances, nil
}

// withUpstreams leaves out the services that have no upstream yet, so that a new proto does not keep the others from running.
func withUpstreams(upstreams map[string]config.Upstream, logger *slog.Logger) []bff.Service {
	var services []bff.Service

	for _, service := range gen.Services() {
		if _, configured := upstreams[service.Upstream]; !configured && !service.Composite {
			logger.Warn("not served: its upstream is not configured (--config, or PORTICO_UPSTREAMS_…_ADDRESSES)",
				"service", service.Name, "upstream", service.Upstream)

			continue
		}

		services = append(services, service)
	}

	return services
}

// withFleet adds the fleet's services to the configured upstreams, which win.
func withFleet(configured map[string]config.Upstream, addresses map[string][]string) map[string]config.Upstream {
	all := make(map[string]config.Upstream, len(addresses)+len(configured))
	for service, list := range addresses {
		all[service] = config.Upstream{Addresses: list}
	}

	maps.Copy(all, configured)

	return all
}
