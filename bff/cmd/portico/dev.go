package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/composite/all"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/tool/demo"
	"github.com/portico-gateway/portico/bff/internal/tool/devissuer"
	"github.com/portico-gateway/portico/gen"
)

const (
	dataDirVariable = "PORTICO_DEV_DATA_DIR"
	dataDirUsage    = "folder of the demo databases and the development issuer's key (" + dataDirVariable + ")"
)

func defaultDataDir() string {
	if dir := os.Getenv(dataDirVariable); dir != "" {
		return dir
	}

	return ".portico"
}

// dev is `portico dev`: gateway, backends, token issuer and OpenID provider in one process.
type dev struct {
	configPath, address, adminAddress, openID, dataDir string
	backendPort                                        int
	tokenLifetime                                      time.Duration
	mocks                                              []string
}

func devCommand() *cobra.Command {
	var d dev

	cmd := &cobra.Command{
		Use:   devName,
		Short: "Run the gateway with demo backends and an OpenID provider, all in one process",
		Long: `Run the gateway with demo backends and an OpenID provider, all in one process, on loopback.

The backends are real gRPC servers over SQLite with a small data set (users alice, bob and admin); there are
two replicas of user. The page at http://127.0.0.1:8080/ shows them at work. It can stop and start each of them,
and so can the admin listener:

  curl -X POST http://127.0.0.1:8081/dev/backends/order/stop
  curl -X POST http://127.0.0.1:8081/dev/backends/order/start
  curl http://127.0.0.1:8081/dev/backends

Services that do not exist yet, or that are in the way, are mocked with --mock: their replies are examples
and plain values that follow the rules of the protos, the same ones for the same request. They store nothing.

Users log in to the OpenID provider without a password, by a button for each. Its issuer is
http://localhost:8084/portico-dev.

Not for production: the provider and the token issuer hand out tokens for anyone.`,
		Example: "  portico dev\n  portico dev --mock order.v1.OrderService,payment.v1.PaymentService\n  portico dev --mock all",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return d.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&d.configPath, "config", "", "with further settings and upstreams: "+configUsage)
	flags.StringVar(&d.address, "address", "",
		"where to serve REST (PORTICO_SERVER_ADDRESS, default 127.0.0.1:8080)")
	flags.StringVar(&d.adminAddress, "admin-address", "",
		"where to serve operators (PORTICO_ADMIN_ADDRESS, default 127.0.0.1:8081)")
	flags.StringVar(&d.openID, "openid-address", "",
		"where to serve the OpenID provider; - turns it off ("+openIDVariable+", default "+openIDDefault+")")
	flags.DurationVar(&d.tokenLifetime, "openid-token-lifetime", defaultOpenIDLife,
		"how long its access tokens are valid")
	flags.IntVar(&d.backendPort, "backend-port", 0,
		"first port of the backends, which take one each from there up (PORTICO_DEV_BACKEND_PORT, default 9001)")
	flags.StringVar(&d.dataDir, "data-dir", defaultDataDir(), dataDirUsage)
	addMockFlag(cmd, &d.mocks)

	return cmd
}

func (d *dev) run(cmd *cobra.Command) error {
	hangups := ignoreSignals()
	// After a hangup it would no longer be a terminal.
	terminal := isatty.IsTerminal(os.Stdin.Fd())

	cfg, err := d.readConfig()
	if err != nil {
		return err
	}

	// Before anything is written or started.
	if err := d.checkFlags(); err != nil {
		return err
	}

	issuer, err := d.openIssuer(&cfg)
	if err != nil {
		return err
	}

	provider, err := d.listenOpenID(cmd.Context())
	if err != nil {
		return err
	}
	defer provider.close()

	provider.configure(&cfg, issuer)

	// The upstreams are complete only when the backends run.
	if err := cfg.WithDefaults().Validate(); err != nil {
		return configError{error: fmt.Errorf("configuration:\n%w", err)}
	}

	// Closing the terminal ends what was started there.
	common := serving{log: cfg.Log, hangups: hangups, endOnHangup: terminal}

	return common.run(cmd.Context(), func(ctx context.Context, log *observe.Log) error {
		return d.serve(ctx, cfg, devParts{issuer: issuer, openID: provider, log: log, dataDir: d.dataDir}, cmd.OutOrStdout())
	})
}

// serve runs mocks, backends and the gateway until the context ends.
func (d *dev) serve(ctx context.Context, cfg config.Config, p devParts, stdout io.Writer) (err error) {
	if p.mocks, err = startMocks(ctx, d.mocks, gen.Services(), p.log.Logger); err != nil {
		return err
	}

	defer p.mocks.close()

	stop, err := p.openID.serve(p.issuer, d.tokenLifetime, p.log)
	if err != nil {
		return err
	}
	defer stop()

	instances, err := d.instances()
	if err != nil {
		return err
	}

	// They end after the gateway has drained, so not with the context.
	p.fleet, err = backends.Start(context.WithoutCancel(ctx), backends.Options{
		DataDir: d.dataDir, Instances: p.mocks.without(instances), Upstreams: p.mocks.targets(), Seed: true,
		Logger: p.log.With("source", "backends"),
	})
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, p.fleet.Close()) }()

	// A slow reader of standard output must not block the gateway.
	out := observe.NewLines(stdout, nil)
	defer out.Close()

	return p.serve(ctx, cfg, out.Urgent())
}

// openIssuer opens the token issuer, and lets the gateway accept its tokens.
func (d *dev) openIssuer(cfg *config.Config) (*devissuer.DevIssuer, error) {
	issuer, err := devissuer.Open(d.dataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory (--data-dir): %w", err)
	}

	cfg.Auth.Issuers = append(cfg.Auth.Issuers, config.Issuer{
		Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience},
		Algorithms: []string{"EdDSA"}, JWKSFile: issuer.JWKSFile(),
	})

	return issuer, nil
}

// devParts are what runs beside the gateway.
type devParts struct {
	issuer *devissuer.DevIssuer
	openID openID
	mocks  *mockSet
	fleet  *backends.Fleet
	log    *observe.Log
	// dataDir is where the issuer's key is.
	dataDir string
}

// serve runs the gateway until the context ends, and prints the welcome to out.
func (p devParts) serve(ctx context.Context, cfg config.Config, out io.Writer) error {
	external := slices.Sorted(maps.Keys(cfg.Upstreams))
	switches := backendSwitch{fleet: p.fleet, mocked: p.mocks.upstreams, external: external}.handler()
	cfg.Upstreams = p.mocks.in(withFleet(cfg.Upstreams, p.fleet.Addresses()))
	served := bff.WithServices(withUpstreams(cfg.Upstreams, p.log.Logger)...)

	compiled, err := bff.Compile(cfg, served, bff.WithDevelopmentIssuers())
	if err != nil {
		return configError{error: err}
	}

	opened, docs, err := withDocsPage(cfg)
	if err != nil {
		return err
	}

	var (
		page     landing
		withdraw = func() {}
	)
	defer func() { withdraw() }()

	landed := page.options(cfg.Server.Address, p.issuer, switches, compiled.Routes())
	options := slices.Concat(all.Composites(), landed, docs, loggingTo(p.log), []bff.Option{
		served, bff.WithDevelopmentIssuers(),
		// A browser runs on the same machine.
		bff.WithAdminMiddleware(demo.Guard(hostOf(cfg.Admin.Address)), before("/dev/backends", switches)),
		bff.WithListening(func(server, admin net.Addr) {
			page.serving(admin, len(compiled.Routes()))

			var token string

			token, withdraw = p.announce(server)
			printWelcome(out, welcome{
				server: endpointOf(server, cfg.Server.TLS), admin: admin, issuer: p.issuer, fleet: p.fleet,
				docs: cfg.Docs.Page != config.DocsOff, openID: p.openID.issuer, token: token, credential: cfg.Admin.Credential,
			})
			p.mocks.list(out)
		}),
	})

	gw, err := bff.New(ctx, opened, options...)
	if err != nil {
		return configError{error: err}
	}

	return gw.Run(ctx)
}

// announce lists this process for `portico token`, and returns the command that prints tokens.
func (p devParts) announce(server net.Addr) (token string, withdraw func()) {
	token = program() + " token"

	withdraw, err := running{Address: server.String(), DataDir: absolute(p.dataDir)}.announce()
	if err != nil {
		p.log.Debug("portico token needs --data-dir", "error", err)

		return token + " --data-dir " + shellQuote(absolute(p.dataDir)), func() {}
	}

	return token, withdraw
}

// readConfig reads the configuration. Flags override the environment, which overrides the file.
func (d *dev) readConfig() (config.Config, error) {
	cfg, err := readConfig(d.configPath, config.Read)
	if err != nil {
		return config.Config{}, err
	}

	if d.address != "" {
		cfg.Server.Address = d.address
	}

	if d.adminAddress != "" {
		cfg.Admin.Address = d.adminAddress
	}

	if cfg.Log.Format == "" {
		cfg.Log.Format = "text"
	}

	// The demo is described to anyone.
	if cfg.Docs.OpenAPI == "" {
		cfg.Docs.OpenAPI = config.DocsPublic
	}

	if cfg.Docs.Page == "" && cfg.Docs.OpenAPI != config.DocsOff {
		cfg.Docs.Page = config.DocsPublic
	}

	// The page shows it, and who develops a client wants to see it.
	cfg.Server.ServerTiming = true

	// No kubelet and no load balancer probes it.
	cfg.Health.Address = cmp.Or(cfg.Health.Address, config.HealthOff)

	// It is printed, and lasts as long as the process.
	if cfg.Admin.Credential == "" && cfg.Admin.CredentialFile == "" {
		cfg.Admin.Credential = rand.Text()
	}

	// No load balancer has to notice.
	if cfg.Server.DrainDelay == 0 {
		cfg.Server.DrainDelay = time.Millisecond
	}

	return cfg.WithDefaults(), nil
}

// checkFlags checks the command line.
func (d *dev) checkFlags() error {
	if _, err := d.instances(); err != nil {
		return err
	}

	if _, err := mocked(d.mocks, gen.Services()); err != nil {
		return err
	}

	if address, setting := d.openIDAddress(); address != openIDOff && !isListenAddress(address) {
		return usagef("%s: %q is not host:port, such as %s", setting, address, openIDDefault)
	}

	if d.tokenLifetime < time.Second {
		return usagef("--openid-token-lifetime: must be at least 1s, not %s", d.tokenLifetime)
	}

	for flag, address := range map[string]string{"--address": d.address, "--admin-address": d.adminAddress} {
		if address != "" && !isListenAddress(address) && (flag == "--address" || address != config.AdminOff) {
			return usagef("%s: %q is not host:port, such as 127.0.0.1:8080", flag, address)
		}
	}

	return nil
}

// isListenAddress reports whether a text is host:port, where the host may be empty.
func isListenAddress(text string) bool {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return false
	}

	_, err = net.DefaultResolver.LookupPort(context.Background(), "tcp", port)

	return err == nil && port != ""
}
