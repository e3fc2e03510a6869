package bff

import (
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/internal/admin/console"
	"github.com/portico-gateway/portico/bff/internal/gateway"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func goVersion() string { return runtime.Version() }

// shownReload is which configuration is in use, for the console.
func shownReload(s ReloadState) console.Configuration {
	c := console.Configuration{Hash: s.Hash, Loaded: s.Loaded}
	if s.Attempted.IsZero() {
		return c
	}

	c.LastReload = &console.Reload{Time: s.Attempted, Trigger: s.Trigger, Result: console.ReloadAccepted, Changed: s.Changed}
	if s.Refused != nil {
		c.LastReload.Result, c.LastReload.Changed = console.ReloadRefused, nil
		c.LastReload.Faults = strings.Split(s.Refused.Error(), "\n")
	}

	return c
}

// shownServices are the services with their routes, for the console.
func (c *Compiled) shownServices() []console.Service {
	homes := c.options.homes()
	services := map[string]*console.Service{}

	for _, r := range c.routes {
		name := string(r.Descriptor.Parent().FullName())
		at := homes[name]

		if services[name] == nil {
			services[name] = &console.Service{Name: name, Upstream: at.upstream, Composite: at.composite}
		}

		services[name].Routes = append(services[name].Routes, shownRoute(r, at.composite))
	}

	all := make([]console.Service, 0, len(services))
	for _, name := range slices.Sorted(maps.Keys(services)) {
		all = append(all, *services[name])
	}

	return all
}

func shownRoute(r gateway.Route, composite bool) console.Route {
	shown := console.Route{
		Method: r.Method, Path: r.Template.String(), RPC: reqinfo.Selector(r.RPC), Summary: r.Policy.Summary(),
		Policy: []console.Row{},
	}

	switch {
	case r.ClientStream && r.ServerStream:
		shown.Stream = console.StreamBoth
	case r.ClientStream:
		shown.Stream = console.StreamClient
	case r.ServerStream:
		shown.Stream = console.StreamServer
	}

	omitted := notOfComposites(composite)
	if r.Body == "" {
		omitted = append(omitted, "max_body_bytes")
	}

	eachText(r, omitted, func(field policy.Field, _ int, text string) {
		shown.Policy = append(shown.Policy, console.Row{Name: field.Name, Value: text})
	})

	return shown
}
