package bff

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/filewatch"
	"github.com/portico-gateway/portico/bff/internal/resource"
	"github.com/portico-gateway/portico/bff/internal/testhook"
)

// certificates are what a gateway has from TLS files, which are watched.
type certificates struct {
	// listener is for clients. Nil: it is not encrypted.
	listener *tls.Config
	// clients checks the certificates of clients.
	clients *tlsfiles.Clients
	// upstreams make the configurations of the connections to those that have TLS.
	upstreams map[string]func() *tls.Config
}

// openTLS reads the files of the listener, if there are any, and those of the upstreams, and watches them while they are used.
func (c *Compiled) openTLS(ctx context.Context, with opening) (certificates, error) {
	var (
		opened certificates
		files  *tlsfiles.Files
		err    error
	)

	if t := c.config.Server.TLS; t.CertFile != "" {
		paths := tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.ClientCAFile}
		if files, err = c.watch(ctx, with, "server.tls", paths); err != nil {
			return certificates{}, err
		}

		opened.listener = files.Server(t.ClientAuth == config.ClientAuthRequired)
	}

	opened.clients = tlsfiles.NewClients(files, testhook.From(ctx).Now)
	opened.upstreams = map[string]func() *tls.Config{}

	for name, u := range c.config.Upstreams {
		if !u.TLS.On() {
			continue
		}

		files, err := c.watch(ctx, with, "upstreams."+name+".tls",
			tlsfiles.Paths{Cert: u.TLS.CertFile, Key: u.TLS.KeyFile, CA: u.TLS.CAFile})
		if err != nil {
			return certificates{}, err
		}

		opened.upstreams[name] = func() *tls.Config { return files.Client(u.TLS.ServerName) }
	}

	return opened, nil
}

// watch opens files that are watched, unless the setting names none.
func (c *Compiled) watch(ctx context.Context, with opening, setting string, paths tlsfiles.Paths) (*tlsfiles.Files, error) {
	key := resource.Key(setting, paths)

	return resource.Take(with.shared, "TLS files", key, func(own *resource.Lease) (*tlsfiles.Files, error) {
		files, err := tlsfiles.Open(paths)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", setting, err)
		}

		if paths == (tlsfiles.Paths{}) {
			return files, nil
		}

		watching := with.watching(ctx, setting)
		own.AtCommit(func() { own.Background(func(ctx context.Context) { files.Watch(ctx, watching) }) })
		show(own, func() func() {
			return with.metrics.WatchCertificates(func() map[string]time.Time { return expiries(setting, files.Expiry()) })
		})

		return files, nil
	})
}

// watching says how the files of a setting are watched.
func (o opening) watching(ctx context.Context, setting string) filewatch.Config {
	return filewatch.Config{
		Setting: setting, Interval: cmp.Or(testhook.From(ctx).TLSInterval, tlsfiles.DefaultInterval),
		Logger: o.logger, Observer: o.metrics,
	}
}
