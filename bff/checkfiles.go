package bff

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/auth"
	"github.com/portico-gateway/portico/bff/internal/auth/identity"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/secret"
	"github.com/portico-gateway/portico/bff/internal/testhook"
)

// files reads the files that a configuration names.
func (f *Findings) files(ctx context.Context, cfg config.Config) {
	t := cfg.Server.TLS
	f.tlsFiles(ctx, "server.tls", tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.ClientCAFile})

	for _, name := range slices.Sorted(maps.Keys(cfg.Upstreams)) {
		t := cfg.Upstreams[name].TLS
		f.tlsFiles(ctx, "upstreams."+name+".tls", tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.CAFile})
	}

	if !cfg.Auth.Disabled {
		f.fault(auth.CheckConfig(cfg.Auth))
	}

	f.sessions(cfg.Auth)

	if internal := cfg.Auth.Internal; internal.Issuer != "" {
		if _, err := identity.Open(internal); err != nil {
			f.faultf("auth.internal_token.key_file", "%w", err)
		}
	}

	if path := cfg.Admin.CredentialFile; path != "" {
		if _, err := secret.Open(path, config.CheckAdminCredential); err != nil {
			f.faultf("admin.credential_file", "%w", err)
		}
	}

	if t := cfg.Tracing.TLS; cfg.Tracing.Encrypted() {
		f.tlsFiles(ctx, "tracing.tls", tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.CAFile})
	}

	_, err := readTracingHeaders(cfg.Tracing)
	f.fault(err)

	if err := redis.Check(cfg.Redis); err != nil && !f.within("redis.url") {
		f.faultf("redis.url", "%w", err)
	}

	if t := cfg.Redis.TLS; cfg.Redis.On() {
		f.tlsFiles(ctx, "redis.tls", tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.CAFile})

		_, err := readRedisSecrets(cfg.Redis)
		f.fault(err)
	}
}

func (f *Findings) tlsFiles(ctx context.Context, setting string, paths tlsfiles.Paths) {
	for _, problem := range tlsfiles.Check(paths, testhook.From(ctx).Now()) {
		path := setting + "." + problem.Setting
		if setting == "server.tls" {
			path = strings.ReplaceAll(path, ".ca_file", ".client_ca_file")
		}

		if problem.Warning {
			f.warnf(path, "%w", problem.Err)
		} else {
			f.faultf(path, "%w", problem.Err)
		}
	}
}
