package main

import (
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/portico-gateway/portico/backends"
)

// flags are what the command line said.
type flags struct {
	services  []string
	addresses map[string][]string // By service; several are replicas.
	upstreams map[string]string   // By service.
	dataDir   string
	seed      bool
	logFormat string
	logLevel  slog.Level
}

func parse(args []string, stderr io.Writer) (flags, error) {
	f := flags{services: backends.Services(), addresses: make(map[string][]string), upstreams: make(map[string]string)}

	set := flag.NewFlagSet("backends", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Func("services", "the services to run, separated by commas (default: all)", f.setServices)
	set.Func("address", "where a service listens: user=127.0.0.1:9001; again for a replica", f.addAddress)
	set.Func("upstream",
		"where to find a service that is not run here: user=dns:///user:9001 or user=host1:9001,host2:9001; repeatable",
		f.addUpstream)
	set.StringVar(&f.dataDir, "data-dir", "data", "the folder of the databases")
	set.BoolVar(&f.seed, "seed", false, "write the demo data into new databases")
	set.StringVar(&f.logFormat, "log-format", "text", "text or json")
	set.TextVar(&f.logLevel, "log-level", slog.LevelInfo, "debug, info, warn or error")

	if err := set.Parse(args); err != nil {
		return flags{}, fmt.Errorf("command line: %w", err)
	}

	if set.NArg() > 0 {
		return flags{}, fmt.Errorf("command line: unexpected argument %q", set.Arg(0))
	}

	if f.logFormat != "text" && f.logFormat != "json" {
		return flags{}, fmt.Errorf("command line: --log-format must be text or json, not %q", f.logFormat)
	}

	for service := range f.addresses {
		if !slices.Contains(f.services, service) {
			return flags{}, fmt.Errorf("command line: --address names %q, which is not among --services", service)
		}
	}

	return f, nil
}

func (f *flags) setServices(text string) error {
	f.services = strings.Split(text, ",")
	for _, name := range f.services {
		if err := known(name); err != nil {
			return err
		}
	}

	return nil
}

func (f *flags) addAddress(text string) error {
	service, address, err := pair(text)
	if err != nil {
		return err
	}

	f.addresses[service] = append(f.addresses[service], address)

	return nil
}

func (f *flags) addUpstream(text string) error {
	service, target, err := pair(text)
	if err != nil {
		return err
	}

	f.upstreams[service] = target

	return nil
}

func pair(text string) (service, value string, err error) {
	service, value, found := strings.Cut(text, "=")
	if !found || value == "" {
		return "", "", fmt.Errorf("want service=value, have %q", text)
	}

	return service, value, known(service)
}

func known(service string) error {
	if !slices.Contains(backends.Services(), service) {
		return fmt.Errorf("no service %q; there are %s", service, strings.Join(backends.Services(), ", "))
	}

	return nil
}

// instances are those that the addresses ask for, and the default ones of services without an address.
func (f *flags) instances() []backends.Instance {
	var instances []backends.Instance

	for _, service := range backends.Services() {
		if !slices.Contains(f.services, service) {
			continue
		}

		if len(f.addresses[service]) == 0 {
			instances = append(instances, backends.DefaultInstances(backends.DefaultPort, service)...)
		}

		for n, address := range f.addresses[service] {
			name := service + "-" + strconv.Itoa(n+1)
			instances = append(instances, backends.Instance{Name: name, Service: service, Address: address})
		}
	}

	return instances
}
