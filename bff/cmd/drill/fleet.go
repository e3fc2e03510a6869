package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
)

const (
	// replicas and gateways are how many there are of each.
	replicas = 3
	gateways = 2

	redis, gateway = "redis", "gateway"
)

// configuration is that of both gateways. The drain delay is several times the interval of the balancer's readiness checks.
const configuration = `server: {address: "127.0.0.1:0", drain_delay: 500ms}
admin: {address: "127.0.0.1:0"}
health: {address: "-"}
auth: {issuers: [{issuer: %q, audiences: [%q], algorithms: [EdDSA], jwks_file: %q}]}
# The faults are those of backends, Redis and networks; a busy machine is none of them.
overload: {target_delay: 1h}
redis: {url: "redis://%s/0"}
upstreams:
%s`

// member is a program that can be stopped and started again.
type member struct {
	command []string
	// up matches what the program prints when it is up. Then ready is called with the match.
	up    *regexp.Regexp
	ready func(ctx context.Context, match []string) error

	log     string
	running *process
}

// restart starts the program and returns when it is ready. It ends it if it does not become ready.
func (m *member) restart(ctx context.Context) error {
	p, err := launch(m.log, m.command[0], m.command[1:]...)
	if err != nil {
		return err
	}

	match, err := p.await(ctx, m.up)
	if err == nil {
		err = m.ready(ctx, match)
	}

	if err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(m.command[0]), errors.Join(err, p.kill()))
	}

	m.running = p

	return nil
}

// fleet is everything that runs.
type fleet struct {
	bin, dir string
	issuer   *devissuer.DevIssuer
	balancer *balancer
	members  map[string][]*member           // By service; also redis and gateway.
	proxies  map[string][]*faultproxy.Proxy // Of the services and redis.
}

func logsIn(dir string) string { return filepath.Join(dir, "logs") }
func dataIn(dir string) string { return filepath.Join(dir, "data") }

// build makes the programs in the folder.
func build(ctx context.Context, bin string) error {
	const module = "github.com/portico-gateway/portico"

	//nolint:gosec // The folder is the drill's own.
	cmd := exec.CommandContext(ctx, "go", "build", "-o", bin+string(filepath.Separator),
		module+"/bff/cmd/portico", module+"/backends/cmd/backends")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}

	return nil
}

// startFleet returns when every gateway is ready. Without an error the caller stops it.
func startFleet(ctx context.Context, bin, dir string) (*fleet, error) {
	f := &fleet{
		bin: bin, dir: dir, balancer: newBalancer(gateways),
		members: make(map[string][]*member), proxies: make(map[string][]*faultproxy.Proxy),
	}

	if err := f.start(ctx); err != nil {
		return nil, errors.Join(err, f.stop())
	}

	return f, nil
}

func (f *fleet) start(ctx context.Context) (err error) {
	if err := errors.Join(os.MkdirAll(logsIn(f.dir), 0o700), os.MkdirAll(dataIn(f.dir), 0o700)); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}

	if f.issuer, err = devissuer.Open(dataIn(f.dir)); err != nil {
		return err
	}

	for service, count := range counts() {
		for range count {
			proxy, err := faultproxy.Open(ctx)
			if err != nil {
				return err
			}

			f.proxies[service] = append(f.proxies[service], proxy)
		}
	}

	f.addRedis()
	f.addBackends()

	if err := f.addGateways(); err != nil {
		return err
	}

	restart := func(m *member) error { return m.restart(ctx) }
	if err := forAll(f.servers(), restart); err != nil {
		return err
	}

	return forAll(f.members[gateway], restart)
}

// counts are how many there are of each server.
func counts() map[string]int {
	counts := map[string]int{redis: 1}
	for _, service := range backends.Services() {
		counts[service] = replicas
	}

	return counts
}

func (f *fleet) add(service string, m member) {
	m.log = filepath.Join(logsIn(f.dir), service+"-"+strconv.Itoa(len(f.members[service])+1)+".log")
	f.members[service] = append(f.members[service], &m)
}

// addRedis lets it listen on a socket in the file system: a port could be in use when it is started again.
func (f *fleet) addRedis() {
	socket := filepath.Join(dataIn(f.dir), "redis.sock")

	f.add(redis, member{
		command: []string{
			"redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no", "--dir", dataIn(f.dir),
		},
		up: regexp.MustCompile(`(?i)ready to accept connections`),
		ready: func(context.Context, []string) error {
			f.proxies[redis][0].Point("unix", socket)

			return nil
		},
	})
}

func (f *fleet) addBackends() {
	for _, service := range backends.Services() {
		command := []string{
			filepath.Join(f.bin, "backends"), "--services", service, "--address", service + "=127.0.0.1:0",
			"--data-dir", dataIn(f.dir),
		}

		for _, other := range backends.Services() {
			if other != service {
				command = append(command, "--upstream", other+"="+f.addresses(other))
			}
		}

		for _, proxy := range f.proxies[service] {
			f.add(service, member{
				command: command, up: regexp.MustCompile(`(?m)^\S+-1 +(127\.0\.0\.1:\d+)$`),
				ready: func(_ context.Context, match []string) error {
					proxy.Point("tcp", match[1])

					return nil
				},
			})
		}
	}
}

// addGateways writes their configuration.
func (f *fleet) addGateways() error {
	var upstreams strings.Builder
	for _, service := range backends.Services() {
		fmt.Fprintf(&upstreams, "  %s: {addresses: [%s]}\n", service, f.addresses(service))
	}

	text := fmt.Sprintf(configuration,
		devissuer.IssuerName, devissuer.Audience, f.issuer.JWKSFile(), f.addresses(redis), &upstreams)

	file := filepath.Join(dataIn(f.dir), "portico.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}

	for _, e := range f.balancer.endpoints {
		f.add(gateway, member{
			command: []string{filepath.Join(f.bin, "portico"), "serve", "--config", file},
			up:      regexp.MustCompile(`"msg":"listening","address":"([^"]+)","admin":"([^"]+)"`),
			ready: func(ctx context.Context, match []string) error {
				e.move("http://"+match[1], "http://"+match[2])

				return f.balancer.awaitReady(ctx, e)
			},
		})
	}

	return nil
}

// addresses are those of a service, separated by commas.
func (f *fleet) addresses(service string) string {
	list := make([]string, 0, replicas)
	for _, proxy := range f.proxies[service] {
		list = append(list, proxy.Address())
	}

	return strings.Join(list, ",")
}

// servers are Redis and the backends.
func (f *fleet) servers() []*member {
	var list []*member

	for service, members := range f.members {
		if service != gateway {
			list = append(list, members...)
		}
	}

	return list
}

// stop ends everything, the gateways first, so that no backend is missing while requests run.
func (f *fleet) stop() error {
	end := func(m *member) (err error) {
		if m.running != nil {
			_, err = m.running.stop()
		}

		return err
	}
	failures := []error{forAll(f.members[gateway], end), forAll(f.servers(), end)}

	for _, proxies := range f.proxies {
		for _, proxy := range proxies {
			failures = append(failures, proxy.Close())
		}
	}

	f.balancer.close()

	return errors.Join(failures...)
}

// forAll calls a function for all members at once. The error is that of one of them.
func forAll(members []*member, do func(m *member) error) error {
	var group errgroup.Group
	for _, m := range members {
		group.Go(func() error { return do(m) })
	}

	return group.Wait()
}
