package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/bff/internal/tool/drill/faultproxy"
)

const (
	module = "github.com/portico-gateway/portico"
	// replicas and gateways are how many there are of each.
	replicas = 3
	gateways = 2
)

// member is a program of the fleet that can be stopped and started again.
type member struct {
	name string
	// start returns when the program is of use.
	start func(ctx context.Context) (*process, error)

	running *process
}

func (m *member) restart(ctx context.Context) error {
	running, err := m.start(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}

	m.running = running

	return nil
}

// fleet is everything that is drilled.
type fleet struct {
	bin, dir string
	issuer   *devissuer.DevIssuer
	balancer *balancer

	redis    *member
	gateways []*member
	backends map[string][]*member // By service.

	redisProxy *faultproxy.Proxy
	proxies    map[string][]*faultproxy.Proxy // Of the backends, by service.
}

func logsIn(dir string) string { return filepath.Join(dir, "logs") }
func dataIn(dir string) string { return filepath.Join(dir, "data") }

// build makes the programs in the folder.
func build(ctx context.Context, bin string) error {
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
		backends: make(map[string][]*member), proxies: make(map[string][]*faultproxy.Proxy),
	}

	if err := f.start(ctx); err != nil {
		return nil, errors.Join(err, f.stop())
	}

	return f, nil
}

func (f *fleet) start(ctx context.Context) (err error) {
	for _, dir := range []string{logsIn(f.dir), f.data()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
	}

	if f.issuer, err = devissuer.Open(f.data()); err != nil {
		return err
	}

	if err := f.enlist(ctx); err != nil {
		return err
	}

	if err := f.configure(); err != nil {
		return err
	}

	first := []*member{f.redis}
	for _, service := range backends.Services() {
		first = append(first, f.backends[service]...)
	}

	if err := startAll(ctx, first); err != nil {
		return err
	}

	return startAll(ctx, f.gateways)
}

// enlist opens the proxies, which the programs are told of, and says how to start the programs.
func (f *fleet) enlist(ctx context.Context) (err error) {
	if f.redisProxy, err = faultproxy.Open(ctx); err != nil {
		return err
	}

	f.redis = &member{name: "redis", start: f.startRedis}

	for _, service := range backends.Services() {
		for range replicas {
			proxy, err := faultproxy.Open(ctx)
			if err != nil {
				return err
			}

			name := service + "-" + strconv.Itoa(len(f.proxies[service])+1)
			f.proxies[service] = append(f.proxies[service], proxy)
			start := func(ctx context.Context) (*process, error) { return f.startBackend(ctx, service, name, proxy) }
			f.backends[service] = append(f.backends[service], &member{name: name, start: start})
		}
	}

	for i := range gateways {
		name := "gateway-" + strconv.Itoa(i+1)
		f.gateways = append(f.gateways, &member{name: name, start: func(ctx context.Context) (*process, error) {
			return f.startGateway(ctx, name, f.balancer.endpoints[i])
		}})
	}

	return nil
}

func startAll(ctx context.Context, members []*member) error {
	var starting sync.WaitGroup

	failures := make([]error, len(members))
	for i, m := range members {
		starting.Go(func() { failures[i] = m.restart(ctx) })
	}

	starting.Wait()

	return errors.Join(failures...)
}

func (f *fleet) log(name string) string { return filepath.Join(logsIn(f.dir), name+".log") }

// data is the folder of the databases.
func (f *fleet) data() string { return dataIn(f.dir) }

var (
	redisReady       = regexp.MustCompile(`(?i)ready to accept connections`)
	backendListens   = regexp.MustCompile(`(?m)^\S+-1 +(127\.0\.0\.1:\d+)$`)
	gatewayListening = regexp.MustCompile(`"msg":"listening","address":"([^"]+)","admin":"([^"]+)"`)
)

// startRedis listens on a socket in the file system: a port could be somebody else's by the time it starts again.
func (f *fleet) startRedis(ctx context.Context) (*process, error) {
	socket := filepath.Join(f.dir, "redis.sock")

	p, err := launch(f.log("redis"), "redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no",
		"--dir", f.dir)
	if err != nil {
		return nil, err
	}

	f.redisProxy.Point("unix", socket)

	return f.up(ctx, p, redisReady, func([]string) error { return nil })
}

func (f *fleet) startBackend(ctx context.Context, service, name string, proxy *faultproxy.Proxy) (*process, error) {
	args := []string{"--services", service, "--address", service + "=127.0.0.1:0", "--data-dir", f.data()}

	for _, other := range backends.Services() {
		if other != service {
			args = append(args, "--upstream", other+"="+strings.Join(f.addresses(other), ","))
		}
	}

	p, err := launch(f.log(name), filepath.Join(f.bin, "backends"), args...)
	if err != nil {
		return nil, err
	}

	return f.up(ctx, p, backendListens, func(found []string) error {
		proxy.Point("tcp", found[1])

		return nil
	})
}

func (f *fleet) startGateway(ctx context.Context, name string, e *endpoint) (*process, error) {
	p, err := launch(f.log(name), filepath.Join(f.bin, "portico"), "serve", "--config", f.configFile())
	if err != nil {
		return nil, err
	}

	return f.up(ctx, p, gatewayListening, func(found []string) error {
		e.move("http://"+found[1], "http://"+found[2])

		return f.balancer.awaitReady(ctx, e)
	})
}

// up waits until a program has printed that it is, and ends it if that does not happen.
func (f *fleet) up(ctx context.Context, p *process, pattern *regexp.Regexp, use func(found []string) error) (*process, error) {
	found, err := p.await(ctx, pattern)
	if err == nil {
		err = use(found)
	}

	if err != nil {
		return nil, errors.Join(err, p.kill())
	}

	return p, nil
}

func (f *fleet) addresses(service string) []string {
	list := make([]string, 0, replicas)
	for _, proxy := range f.proxies[service] {
		list = append(list, proxy.Address())
	}

	return list
}

// stop ends what runs: the gateways first, so that nobody misses a backend.
func (f *fleet) stop() error {
	var failures []error

	failures = append(failures, stopAll(f.gateways))

	rest := []*member{f.redis}
	for _, list := range f.backends {
		rest = append(rest, list...)
	}

	failures = append(failures, stopAll(rest))

	proxies := []*faultproxy.Proxy{f.redisProxy}
	for _, list := range f.proxies {
		proxies = append(proxies, list...)
	}

	for _, proxy := range proxies {
		if proxy != nil {
			failures = append(failures, proxy.Close())
		}
	}

	f.balancer.close()

	return errors.Join(failures...)
}

func stopAll(members []*member) error {
	var stopping sync.WaitGroup

	failures := make([]error, len(members))

	for i, m := range members {
		if m == nil || m.running == nil {
			continue
		}

		stopping.Go(func() { _, failures[i] = m.running.stop() })
	}

	stopping.Wait()

	return errors.Join(failures...)
}

// client is for the gateways: of one host, with as many connections as it takes.
func client(timeout time.Duration) *http.Client {
	const idle = 256

	return &http.Client{Timeout: timeout, Transport: &http.Transport{MaxIdleConnsPerHost: idle}}
}
