package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/portico-gateway/portico/backends"
	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth/devissuer"
	"github.com/portico-gateway/portico/gen"
)

const dataDirUsage = "folder of the demo databases and the development issuer's key (PORTICO_DEV_DATA_DIR)"

func defaultDataDir() string {
	if dir := os.Getenv("PORTICO_DEV_DATA_DIR"); dir != "" {
		return dir
	}

	return ".portico"
}

// dev is `portico dev`: gateway, backends and token issuer in one process.
type dev struct {
	configPath, address, adminAddress, dataDir string
	backendPort                                int
}

func devCommand() *cobra.Command {
	var d dev

	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the gateway with demo backends and a token issuer, all in one process",
		Long: `Run the gateway with demo backends and a token issuer, all in one process, on loopback.

The backends are real gRPC servers over SQLite with a small data set (users alice, bob and admin); there are
two replicas of user. The admin listener can stop and start each of them:

  curl -X POST http://127.0.0.1:8081/dev/backends/order/stop
  curl -X POST http://127.0.0.1:8081/dev/backends/order/start
  curl http://127.0.0.1:8081/dev/backends

Not for production: the issuer hands out tokens for anyone.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&d.configPath, "config", "", "with further settings and upstreams: "+configUsage)
	flags.StringVar(&d.address, "address", "",
		"where to serve REST (PORTICO_SERVER_ADDRESS, default 127.0.0.1:8080)")
	flags.StringVar(&d.adminAddress, "admin-address", "",
		"where to serve operators (PORTICO_ADMIN_ADDRESS, default 127.0.0.1:8081)")
	flags.IntVar(&d.backendPort, "backend-port", 0,
		"first port of the backends, which take one each from there up (PORTICO_DEV_BACKEND_PORT, default 9001)")
	flags.StringVar(&d.dataDir, "data-dir", defaultDataDir(), dataDirUsage)

	return cmd
}

func (d *dev) run(cmd *cobra.Command) (err error) {
	ctx := cmd.Context()

	cfg, err := d.readConfig()
	if err != nil {
		return err
	}

	issuer, err := devissuer.Open(d.dataDir)
	if err != nil {
		return err
	}

	cfg.Auth.Issuers = append(cfg.Auth.Issuers, config.Issuer{
		Issuer: devissuer.IssuerName, Audiences: []string{devissuer.Audience},
		Algorithms: []string{"EdDSA"}, JWKSFile: issuer.JWKSFile(),
	})

	port, err := d.firstPort()
	if err != nil {
		return err
	}

	logger, flush, err := newLogger(cfg.Log)
	if err != nil {
		return err
	}

	defer flush()

	tuneMemory(logger)

	// The backends end after the gateway has drained, so they do not live by the command's context.
	fleet, err := backends.Start(context.WithoutCancel(ctx), backends.Options{
		DataDir: d.dataDir, Instances: backends.DefaultInstances(port), Seed: true, Logger: logger.With("source", "backends"),
	})
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, fleet.Close()) }()

	cfg.Upstreams = withFleet(cfg.Upstreams, fleet.Addresses())

	options := append(composites(), bff.WithLogger(logger), bff.WithServices(reachable(cfg.Upstreams, logger)...),
		bff.WithAdminHandler("/dev/backends", backendSwitch(fleet)),
		bff.WithListening(func(server, admin net.Addr) {
			printWelcome(cmd.OutOrStdout(), welcome{server: server, admin: admin, issuer: issuer, fleet: fleet})
		}),
	)

	gw, err := bff.New(ctx, cfg, options...)
	if err != nil {
		return err
	}

	return gw.Run(ctx)
}

// readConfig lets flags win over the environment, and that over the file.
func (d *dev) readConfig() (config.Config, error) {
	cfg, err := config.Read(d.configPath, os.Environ())
	if err != nil {
		return config.Config{}, fmt.Errorf("configuration:\n%w", err)
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

	// Nobody balances over it.
	if cfg.Server.DrainDelay == 0 {
		cfg.Server.DrainDelay = time.Millisecond
	}

	return cfg.WithDefaults(), nil
}

func (d *dev) firstPort() (int, error) {
	if d.backendPort != 0 {
		return d.backendPort, nil
	}

	text := os.Getenv("PORTICO_DEV_BACKEND_PORT")
	if text == "" {
		return backends.DefaultPort, nil
	}

	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("PORTICO_DEV_BACKEND_PORT: %q is not a port", text)
	}

	return int(port), nil
}

// reachable leaves out the services that have no upstream yet, so that a new proto does not keep the others from running.
func reachable(upstreams map[string]config.Upstream, logger *slog.Logger) []bff.Service {
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
