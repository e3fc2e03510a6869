package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/portico-gateway/portico/bench/internal/sample"
)

// configuration is Portico's: production policies, with limits that are checked but do not refuse what the load sends. GetOrder
// alone has one that always does. The backend counts calls by their authority.
const configuration = `server: {address: "127.0.0.1:0", drain_delay: 1ms, drain_timeout: 1s%s}
admin: {address: "127.0.0.1:0"}
health: {address: "-"}
auth: {issuers: [{issuer: %q, audiences: [%q], algorithms: [%q], jwks_file: %q}]}
limits: {client: {requests: 1000000, per: 1s, burst: 2000000}}
policies:
  - selector: "*"
    set: {rate_limits: [{requests: 1000000, burst: 2000000}]}
  - selector: order.v1.OrderService.GetOrder
    set: {rate_limits: [{requests: 1, per: 86400s, burst: 1}]}
upstreams:
  user: {addresses: [%[6]q], authority: %[7]s}
  order: {addresses: [%[6]q], authority: %[7]s}
  profile: {addresses: [%[6]q], authority: %[7]s}
  payment: {addresses: [%[6]q], authority: %[7]s}
  notification: {addresses: [%[6]q], authority: %[7]s}
`

// fleet is what runs. All of it ends with stop.
type fleet struct {
	// module is the folder of the benchmark, dir one for files that are not kept.
	module string
	dir    string
	// progress is nil if there is no terminal.
	progress *progress
	peers    string // The binary.
	keys     string
	callers  []caller
	// certificate is nil unless the load is over TLS.
	certificate *certificate
	running     []*process

	backend, usual, vanilla, floor, portico *process
	// settings are added to the configuration of every Portico.
	settings string
	// against is another build of Portico. Nil: there is none.
	against *process
}

// caller is a user with a token.
type caller struct{ user, token string }

// build compiles what is run, as the Makefile does.
func build(ctx context.Context, module, pkg, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace", "-o", binary, pkg)
	cmd.Dir, cmd.Stderr, cmd.Env = module, os.Stderr, append(os.Environ(), "CGO_ENABLED=0")

	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s: %w", pkg, err)
	}

	return nil
}

// findModule returns the folder of the benchmark's module, in the repository that a folder is in.
func findModule(folder string) (string, error) {
	for above := folder; ; above = filepath.Dir(above) {
		module := filepath.Join(above, "bench")
		if _, err := os.Stat(filepath.Join(module, "cmd", "peers")); err == nil {
			return module, nil
		}

		if above == filepath.Dir(above) {
			return "", fmt.Errorf("%s is not in the repository of Portico, whose sources the benchmark builds", folder)
		}
	}
}

// build compiles the peers, and Portico unless there is a binary already.
func (f *fleet) build(ctx context.Context, o *options) error {
	folder, err := os.Getwd()
	if err != nil {
		return err
	}

	if f.module, err = findModule(folder); err != nil {
		return err
	}

	f.progress.sayf("building the peers")

	f.peers = filepath.Join(f.dir, "peers")
	if err := build(ctx, f.module, "./cmd/peers", f.peers); err != nil || o.portico != "" {
		return err
	}

	f.progress.sayf("building portico")

	o.portico = filepath.Join(f.dir, "portico")

	return build(ctx, filepath.Dir(f.module), "./bff/cmd/portico", o.portico)
}

// start builds what is run, makes what gateways are configured with, and starts the backend.
func (f *fleet) start(ctx context.Context, o *options) error {
	err := f.build(ctx, o)
	if err != nil {
		return err
	}

	// What is measured must not be refused, however busy the machine is.
	f.settings = "overload: {target_delay: 1h}\n"

	if err := f.makeCallers(max(o.workers, latencyConnections)); err != nil {
		return err
	}

	if o.h2 {
		if f.certificate, err = newCertificate(f.dir); err != nil {
			return err
		}
	}

	f.backend, err = f.launch(ctx, "backend", f.peers, "backend")

	return err
}

// startGateways starts all but those with many routes.
func (f *fleet) startGateways(ctx context.Context, o options) (err error) {
	if f.usual, err = f.peer(ctx, "usual", f.backend.address, f.keys); err != nil {
		return err
	}

	if f.vanilla, err = f.peer(ctx, "vanilla", f.backend.address); err != nil {
		return err
	}

	if f.floor, err = f.peer(ctx, "floor", f.backend.address); err != nil {
		return err
	}

	if f.portico, err = f.serve(ctx, "portico", o.portico, f.settings); err != nil {
		return err
	}

	if o.against == "" {
		return nil
	}

	return f.startAgainst(ctx, o)
}

// startAgainst starts the other build of Portico, without the settings if it is older than they are.
func (f *fleet) startAgainst(ctx context.Context, o options) (err error) {
	const name = "against"

	if f.against, err = f.serve(ctx, name, o.against, f.settings); err != nil {
		f.against, err = f.serve(ctx, name, o.against, "")
	}

	return err
}

// startPair starts Portico and the other build of it, in this order or the other. What it returns stops both.
func (f *fleet) startPair(ctx context.Context, o options, otherFirst bool) (stop func(), err error) {
	before := len(f.running)
	stop = func() { f.stopDownTo(before) }

	if !otherFirst {
		f.portico, err = f.serve(ctx, "portico", o.portico, f.settings)
	}

	if err == nil {
		err = f.startAgainst(ctx, o)
	}

	if err == nil && otherFirst {
		f.portico, err = f.serve(ctx, "portico", o.portico, f.settings)
	}

	return stop, err
}

// peer starts the one of that name.
func (f *fleet) peer(ctx context.Context, name string, args ...string) (*process, error) {
	args = append([]string{name}, args...)
	if f.certificate != nil {
		args = append([]string{"-cert", f.certificate.certFile, "-key", f.certificate.keyFile}, args...)
	}

	return f.gateway(ctx, name, f.peers, args...)
}

// gateway starts one that is loaded.
func (f *fleet) gateway(ctx context.Context, name, binary string, args ...string) (*process, error) {
	p, err := f.launch(ctx, name, binary, args...)
	if err == nil && f.certificate != nil {
		p.http2 = newHTTP2Dialer(p.address, f.certificate.roots)
	}

	return p, err
}

// serve starts a build of Portico, with further settings.
func (f *fleet) serve(ctx context.Context, name, binary, settings string) (*process, error) {
	config, err := f.configure(name, settings)
	if err != nil {
		return nil, err
	}

	return f.gateway(ctx, name, binary, "serve", "--config", config)
}

// withRoutes starts gateways that embed Portico, with so many further routes.
func (f *fleet) withRoutes(ctx context.Context, counts ...int) ([]*process, error) {
	binary := filepath.Join(f.dir, "embed")
	if err := build(ctx, f.module, "./cmd/embed", binary); err != nil {
		return nil, err
	}

	var started []*process

	for _, count := range counts {
		name := fmt.Sprintf("%d routes", count)

		config, err := f.configure(name, f.settings)
		if err != nil {
			return nil, err
		}

		p, err := f.gateway(ctx, name, binary, config, strconv.Itoa(count))
		if err != nil {
			return nil, err
		}

		started = append(started, p)
	}

	return started, nil
}

func (f *fleet) launch(ctx context.Context, name, binary string, args ...string) (*process, error) {
	p, err := launch(ctx, f.dir, name, binary, args...)
	if err == nil {
		f.running = append(f.running, p)
	}

	return p, err
}

// stop ends everything, the gateways before the backend.
func (f *fleet) stop() { f.stopDownTo(0) }

// stopDownTo ends what was started last, so that so many go on.
func (f *fleet) stopDownTo(count int) {
	for len(f.running) > count {
		last := len(f.running) - 1
		f.running[last].stop()
		f.running = f.running[:last]
	}
}

// authority is that of the calls of a gateway.
func authority(gateway string) string { return strings.ReplaceAll(gateway, " ", "-") }

// configure writes the configuration of a build of Portico, with further settings, and returns the file.
func (f *fleet) configure(name, settings string) (file string, err error) {
	file = filepath.Join(f.dir, authority(name)+".yaml")

	tls := ""
	if f.certificate != nil {
		tls = fmt.Sprintf(", tls: {cert_file: %q, key_file: %q}", f.certificate.certFile, f.certificate.keyFile)
	}

	text := fmt.Sprintf(configuration, tls, sample.Issuer, sample.Audience, sample.Algorithm, f.keys, f.backend.address,
		authority(name)) + settings
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}

	return file, nil
}

// makeCallers makes count callers. The first is the user of the sample.
func (f *fleet) makeCallers(count int) error {
	f.keys = filepath.Join(f.dir, "jwks.json")

	keys, err := newSigner(f.keys)
	if err != nil {
		return err
	}

	for i := range count {
		c := caller{user: sample.UserID}
		if i > 0 {
			c.user = fmt.Sprintf("user%03d", i)
		}

		if c.token, err = keys.token(c.user); err != nil {
			return err
		}

		f.callers = append(f.callers, c)
	}

	return nil
}
