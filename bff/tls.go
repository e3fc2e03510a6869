package bff

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/tlsfiles"
)

// openTLS reads the files of the listener, if there are any, and those of the upstreams, and goes on watching them until ctx ends.
func (g *Gateway) openTLS(ctx context.Context) (map[string]func() *tls.Config, error) {
	if t := g.config.Server.TLS; t.CertFile != "" {
		files, err := g.watch(ctx, tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.ClientCAFile})
		if err != nil {
			return nil, fmt.Errorf("server.tls: %w", err)
		}

		g.tls = files.Server(t.ClientAuth == config.ClientAuthRequired)
	}

	upstreams := map[string]func() *tls.Config{}

	for name, u := range g.config.Upstreams {
		if !u.TLS.On() {
			continue
		}

		files, err := g.watch(ctx, tlsfiles.Paths{Cert: u.TLS.CertFile, Key: u.TLS.KeyFile, CA: u.TLS.CAFile})
		if err != nil {
			return nil, fmt.Errorf("upstreams.%s.tls: %w", name, err)
		}

		upstreams[name] = func() *tls.Config { return files.Client(u.TLS.ServerName) }
	}

	return upstreams, nil
}

func (g *Gateway) watch(ctx context.Context, paths tlsfiles.Paths) (*tlsfiles.Files, error) {
	files, err := tlsfiles.Open(paths)
	if err != nil {
		return nil, err
	}

	g.running.Go(func() { files.Watch(ctx, tlsfiles.DefaultInterval, g.options.logger) })

	return files, nil
}
