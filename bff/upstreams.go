package bff

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/grpc"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/gateway/leg/probe"
	"github.com/portico-gateway/portico/bff/internal/hint"
	"github.com/portico-gateway/portico/bff/internal/upstream"
)

// checkUpstreams adds a fault for each upstream that is needed and not configured, for each that is configured and not known, and
// for each whose target nothing can resolve.
func (c *Compiled) checkUpstreams(faults *optionFaults) {
	needed, complete := c.neededUpstreams()
	known := slices.Sorted(maps.Keys(needed))

	for _, name := range known {
		if _, configured := c.config.Upstreams[name]; !configured && len(needed[name]) > 0 {
			faults.add(upstreamFault(name, "is not configured, but "+listed(needed[name])))
		}
	}

	for _, name := range slices.Sorted(maps.Keys(c.config.Upstreams)) {
		if err := upstream.CheckTarget(c.config.Upstreams[name].Target); err != nil {
			faults.add(&config.Fault{Path: "upstreams." + name + ".target", Err: err})
		}

		if _, ok := needed[name]; !ok && complete && len(known) > 0 {
			meant := hint.DidYouMean(name, known)
			if meant == "" {
				meant = "; there are " + strings.Join(known, ", ")
			}

			faults.add(upstreamFault(name, "there is no such upstream: no service is in it"+meant))
		}
	}
}

func upstreamFault(name, reason string) error {
	return &config.Fault{Path: "upstreams." + name, Err: errors.New(reason)}
}

// listed says who needs an upstream.
func listed(users []string) string {
	slices.Sort(users)

	if more := len(users) - 1; more > 0 {
		return fmt.Sprintf("%s and %d more need it", users[0], more)
	}

	return users[0] + " needs it"
}

// neededUpstreams returns who needs each of the upstreams. Those that only may be needed, as the schema names them for a service
// that composites can call, have nobody. Complete reports whether these are all: not if the composites cannot be made, which Open
// says.
func (c *Compiled) neededUpstreams() (needed map[string][]string, complete bool) {
	needed = map[string][]string{}

	for name := range c.methodsOf() {
		needed[name] = nil
	}

	for service, at := range c.options.homes() {
		if !at.composite {
			needed[at.upstream] = append(needed[at.upstream], service)
		}
	}

	_, err := c.options.probedChannel(func(name string) (grpc.ClientConnInterface, error) {
		if _, configured := c.config.Upstreams[name]; !configured && c.compositeOf(name) != "" {
			return nil, fmt.Errorf("%s is a composite", name)
		}

		if len(needed[name]) == 0 {
			needed[name] = []string{"a composite"}
		}

		return probe.Conn(name), nil
	})

	return needed, err == nil
}
