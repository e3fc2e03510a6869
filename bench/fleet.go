package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// configuration is Portico's: production policies, with limits that are checked but do not refuse what the load sends. GetOrder
// alone has one that always does.
const configuration = `server: {address: "127.0.0.1:0", drain_delay: 1ms, drain_timeout: 1s}
admin: {address: "127.0.0.1:0"}
auth: {issuers: [{issuer: %q, audiences: [%q], algorithms: [EdDSA], jwks_file: %q}]}
limits: {client: {requests: 1000000, per: 1s, burst: 2000000}}
policies:
  - selector: "*"
    set: {rate_limits: [{requests: 1000000, burst: 2000000}]}
  - selector: order.v1.OrderService.GetOrder
    set: {rate_limits: [{requests: 1, per: 86400s, burst: 1}]}
upstreams:
  user: {addresses: [%[4]q]}
  order: {addresses: [%[4]q]}
  profile: {addresses: [%[4]q]}
  payment: {addresses: [%[4]q]}
  notification: {addresses: [%[4]q]}
`

// fleet is what runs. All of it ends with stop.
type fleet struct {
	dir     string
	token   string
	running []*process

	vanilla, floor, portico *process
	// against is another build of Portico. Nil: there is none.
	against *process
}

// build compiles what is run, with the defaults of the go command.
func build(ctx context.Context, module, pkg, binary string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, pkg)
	cmd.Dir, cmd.Stderr = module, os.Stderr

	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build %s: %w", pkg, err)
	}

	return nil
}

// start builds and starts all but the gateways with many routes.
func (f *fleet) start(ctx context.Context, o options) error {
	peers := filepath.Join(f.dir, "peers")
	if err := build(ctx, ".", "./cmd/peers", peers); err != nil {
		return err
	}

	if o.portico == "" {
		o.portico = filepath.Join(f.dir, "portico")
		if err := build(ctx, "..", "./bff/cmd/portico", o.portico); err != nil {
			return err
		}
	}

	backend, err := f.launch(ctx, "backend", peers, "backend")
	if err != nil {
		return err
	}

	if err := f.configure(backend.address); err != nil {
		return err
	}

	if f.vanilla, err = f.launch(ctx, "vanilla", peers, "vanilla", backend.address); err != nil {
		return err
	}

	if f.floor, err = f.launch(ctx, "floor", peers, "floor", backend.address); err != nil {
		return err
	}

	if f.portico, err = f.launch(ctx, "portico", o.portico, "serve", "--config", f.configFile()); err != nil {
		return err
	}

	if o.against != "" {
		f.against, err = f.launch(ctx, "against", o.against, "serve", "--config", f.configFile())
	}

	return err
}

// withRoutes starts gateways that embed Portico, with so many further routes.
func (f *fleet) withRoutes(ctx context.Context, counts ...int) ([]*process, error) {
	binary := filepath.Join(f.dir, "embed")
	if err := build(ctx, ".", "./cmd/embed", binary); err != nil {
		return nil, err
	}

	var started []*process

	for _, count := range counts {
		p, err := f.launch(ctx, fmt.Sprintf("%d routes", count), binary, f.configFile(), strconv.Itoa(count))
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
func (f *fleet) stop() {
	for len(f.running) > 0 {
		last := len(f.running) - 1
		f.running[last].stop()
		f.running = f.running[:last]
	}
}

func (f *fleet) configFile() string { return filepath.Join(f.dir, "portico.yaml") }

func (f *fleet) configure(backend string) (err error) {
	keys := filepath.Join(f.dir, "jwks.json")
	if f.token, err = newToken(keys); err != nil {
		return err
	}

	text := fmt.Sprintf(configuration, issuer, audience, keys, backend)
	if err := os.WriteFile(f.configFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}

	return nil
}
