package bff

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge/tlsfiles"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/resource"
	"github.com/portico-gateway/portico/bff/internal/secret"
)

// openRedis opens the Redis of the configuration, and reads and watches the files of its settings, for as long as own is used.
func (c *Compiled) openRedis(ctx context.Context, own *resource.Lease, with opening) (*redis.Client, error) {
	with.shared = own
	settings := redis.Config{Redis: c.config.Redis}

	err := c.openRedisSecrets(ctx, with, &settings)
	if err != nil {
		return nil, err
	}

	if t := c.config.Redis.TLS; t.On() {
		files, err := c.watch(ctx, with, "redis.tls", tlsfiles.Paths{Cert: t.CertFile, Key: t.KeyFile, CA: t.CAFile})
		if err != nil {
			return nil, err
		}

		settings.TLSConfig = func() *tls.Config { return files.Client(t.ServerName) }
	}

	client, err := redis.Open(settings, redis.Observer{
		Logger:  with.logger,
		State:   func(to redis.State) { with.metrics.ObserveRedis(int(to)) },
		Failure: with.metrics.ObserveRedisFailure,
		Command: func(name string, took time.Duration, _ string) { with.metrics.ObserveRedisCommand(name, took) },
	})
	if err != nil {
		return nil, &config.Fault{Path: "redis.url", Err: err}
	}

	own.AtEnd(client.Close)
	own.AtCommit(func() { with.metrics.ObserveRedis(int(client.State())) })

	return client, nil
}

// openRedisSecrets puts what is in the files of secrets into the settings.
func (c *Compiled) openRedisSecrets(ctx context.Context, with opening, settings *redis.Config) error {
	url, err := c.openSecret(ctx, with, "redis.url_file", settings.URLFile, acceptRedisURL(settings.TLS))
	if err != nil {
		return err
	}

	password, err := c.openSecret(ctx, with, "redis.password_file", settings.PasswordFile, nil)
	if err != nil {
		return err
	}

	switch {
	case url != nil:
		settings.URL = url()
		settings.Credentials = func() (string, string) {
			username, password, _ := redis.ParseCredentials(url()) // It was parsed when it was read.
			return username, password
		}
	case password != nil:
		settings.Credentials = func() (string, string) { return settings.Username, password() }
	}

	// The client asks for it once.
	if settings.SentinelPasswordFile != "" {
		file, err := secret.Open(settings.SentinelPasswordFile, nil)
		if err != nil {
			return &config.Fault{Path: "redis.sentinel_password_file", Err: err}
		}

		settings.SentinelPassword = file.Value()
	}

	return nil
}

// acceptRedisURL refuses what is no URL of a Redis, or not for TLS where its settings need it.
func acceptRedisURL(t config.RedisTLS) func(value string) error {
	return func(value string) error {
		if t.On() && !redis.EncryptsURL(value) {
			return errors.New("must begin with rediss:// for the settings of redis.tls")
		}

		_, _, err := redis.ParseCredentials(value)

		return err
	}
}

// readRedisSecrets returns the settings with what is in the files of secrets now. The error names every fault.
func readRedisSecrets(cfg config.Redis) (config.Redis, error) {
	var faults error

	for _, one := range []struct {
		setting, path string
		value         *string
		accept        func(string) error
	}{
		{"redis.url_file", cfg.URLFile, &cfg.URL, acceptRedisURL(cfg.TLS)},
		{"redis.password_file", cfg.PasswordFile, &cfg.Password, nil},
		{"redis.sentinel_password_file", cfg.SentinelPasswordFile, &cfg.SentinelPassword, nil},
	} {
		if one.path == "" {
			continue
		}

		file, err := secret.Open(one.path, one.accept)
		if err != nil {
			faults = errors.Join(faults, &config.Fault{Path: one.setting, Err: err})
			continue
		}

		*one.value = file.Value()
	}

	return cfg, faults
}

// openSecret reads a file and watches it while it is used. It returns the current secret, or nil if there is no file.
func (c *Compiled) openSecret(
	ctx context.Context, with opening, setting, path string, accept func(string) error,
) (func() string, error) {
	if path == "" {
		return nil, nil //nolint:nilnil // There is none.
	}

	file, err := secret.Open(path, accept)
	if err != nil {
		return nil, &config.Fault{Path: setting, Err: err}
	}

	own, watching := with.shared, with.watching(ctx, setting)
	own.AtCommit(func() { own.Background(func(ctx context.Context) { file.Watch(ctx, watching) }) })

	return file.Value, nil
}
