package bff

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/observe"
)

// openTLS reads the files of the listener, if there are any, and those of the upstreams, and goes on watching them until ctx ends.
func (g *Gateway) openTLS(ctx context.Context, metrics *observe.Metrics) (map[string]func() *tls.Config, error) {
	if t := g.config.Server.TLS; t.CertFile != "" {
		files, err := g.watch(ctx, metrics, "server.tls", tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.ClientCAFile})
		if err != nil {
			return nil, err
		}

		g.tls = files.Server(t.ClientAuth == config.ClientAuthRequired)
		g.clients = tlsfiles.NewClients(files, g.options.clock())
	} else {
		g.clients = tlsfiles.NewClients(nil, g.options.clock())
	}

	upstreams := map[string]func() *tls.Config{}

	for name, u := range g.config.Upstreams {
		if !u.TLS.On() {
			continue
		}

		files, err := g.watch(ctx, metrics, "upstreams."+name+".tls",
			tlsfiles.Paths{Cert: u.TLS.CertFile, Key: u.TLS.KeyFile, CA: u.TLS.CAFile})
		if err != nil {
			return nil, err
		}

		upstreams[name] = func() *tls.Config { return files.Client(u.TLS.ServerName) }
	}

	return upstreams, nil
}

// watch opens files that are watched until ctx ends, unless the setting names none.
func (g *Gateway) watch(
	ctx context.Context, metrics *observe.Metrics, setting string, paths tlsfiles.Paths,
) (*tlsfiles.Files, error) {
	files, err := tlsfiles.Open(paths)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", setting, err)
	}

	if paths == (tlsfiles.Paths{}) {
		return files, nil
	}

	watching := filewatch.Config{
		Setting: setting, Interval: cmp.Or(g.options.tlsInterval, tlsfiles.DefaultInterval),
		Logger: g.options.logger, Observer: metrics,
	}
	g.running.Go(func() { files.Watch(ctx, watching) })

	return files, nil
}
