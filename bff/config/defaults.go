package config

import "time"

// Defaults that the fields' comments name.
const (
	defaultAddress           = "127.0.0.1:8080"
	defaultAdminAddress      = "127.0.0.1:8081"
	defaultReadHeaderTimeout = 5 * time.Second
	defaultIdleTimeout       = 2 * time.Minute
	defaultMaxHeaderBytes    = 1 << 20
	defaultRequestTimeout    = 10 * time.Second
	defaultDrainTimeout      = 30 * time.Second
	defaultCORSMaxAge        = 10 * time.Minute
	defaultMaxBodyBytes      = 1 << 20
	defaultMaxDepth          = 64
	defaultMinCompressed     = 1 << 10
	defaultIdempotencyBytes  = 64 << 20
	defaultClientRequests    = 1000
	defaultClientBurst       = 2000
	defaultMaxKeys           = 200_000
	defaultRefreshInterval   = 5 * time.Minute
	defaultLeeway            = 30 * time.Second
	defaultCacheTokens       = 10_000
	defaultAPIKeyHeader      = "X-Api-Key" //nolint:gosec // The name of a header.
	defaultReloadInterval    = 10 * time.Second
	defaultInternalLifetime  = time.Minute
	defaultFailureRatio      = 0.5
	defaultMinRequests       = 10
	defaultWindow            = 10 * time.Second
	defaultOpenFor           = 2 * time.Second
)

// The values of ServerTLS.ClientAuth.
const (
	ClientAuthOptional = "optional"
	ClientAuthRequired = "required"
)

// The values of JSON.Names.
const (
	NamesCamel = "camel"
	NamesProto = "proto"
)

// AdminOff is the admin address that turns the admin listener off.
const AdminOff = "-"

// WithDefaults returns the configuration with every zero value replaced by its documented default.
func (c Config) WithDefaults() Config {
	c.Server = c.Server.withDefaults()
	c.Admin.Address = or(c.Admin.Address, defaultAdminAddress)
	c.CORS.MaxAge = or(c.CORS.MaxAge, defaultCORSMaxAge)
	c.JSON.Names = or(c.JSON.Names, NamesCamel)
	c.JSON.MaxDepth = or(c.JSON.MaxDepth, defaultMaxDepth)
	c.Compression.MinBytes = or(c.Compression.MinBytes, defaultMinCompressed)
	c.Idempotency.MaxBytes = or(c.Idempotency.MaxBytes, defaultIdempotencyBytes)
	c.Limits.MaxBodyBytes = or(c.Limits.MaxBodyBytes, defaultMaxBodyBytes)
	c.Auth.CacheTokens = or(c.Auth.CacheTokens, defaultCacheTokens)
	c.Auth.APIKeys.Header = or(c.Auth.APIKeys.Header, defaultAPIKeyHeader)
	c.Auth.APIKeys.ReloadInterval = or(c.Auth.APIKeys.ReloadInterval, defaultReloadInterval)
	c.Auth.Internal.Lifetime = or(c.Auth.Internal.Lifetime, defaultInternalLifetime)
	c.Limits.MaxKeys = or(c.Limits.MaxKeys, defaultMaxKeys)
	c.Log.Level = or(c.Log.Level, "info")
	c.Log.Format = or(c.Log.Format, "json")

	if c.Limits.Client == (Rate{}) {
		c.Limits.Client = Rate{Requests: defaultClientRequests, Burst: defaultClientBurst}
	}

	c.Limits.Client.Per = or(c.Limits.Client.Per, time.Second)
	c.Limits.Client.Burst = or(c.Limits.Client.Burst, c.Limits.Client.Requests)

	if c.Query.Ignored == nil {
		c.Query.Ignored = []string{"utm_*"}
	}

	if len(c.CORS.AllowedHeaders) == 0 {
		c.CORS.AllowedHeaders = []string{"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-Id", "X-Request-Id"}
	}

	issuers := make([]Issuer, 0, len(c.Auth.Issuers))
	for _, issuer := range c.Auth.Issuers {
		issuers = append(issuers, issuer.withDefaults())
	}

	c.Auth.Issuers = issuers

	upstreams := make(map[string]Upstream, len(c.Upstreams))
	for name, upstream := range c.Upstreams {
		upstreams[name] = upstream.withDefaults()
	}

	c.Upstreams = upstreams

	return c
}

func (s Server) withDefaults() Server {
	s.Address = or(s.Address, defaultAddress)
	s.ReadHeaderTimeout = or(s.ReadHeaderTimeout, defaultReadHeaderTimeout)
	s.IdleTimeout = or(s.IdleTimeout, defaultIdleTimeout)
	s.MaxHeaderBytes = or(s.MaxHeaderBytes, defaultMaxHeaderBytes)
	s.RequestTimeout = or(s.RequestTimeout, defaultRequestTimeout)
	s.DrainTimeout = or(s.DrainTimeout, defaultDrainTimeout)

	if s.TLS.ClientCAFile != "" {
		s.TLS.ClientAuth = or(s.TLS.ClientAuth, ClientAuthOptional)
	}

	return s
}

func (i Issuer) withDefaults() Issuer {
	if len(i.Algorithms) == 0 {
		i.Algorithms = algorithms()
	}

	i.RefreshInterval = or(i.RefreshInterval, defaultRefreshInterval)
	i.Leeway = or(i.Leeway, defaultLeeway)
	i.Claims.Subject = or(i.Claims.Subject, "sub")
	i.Claims.Roles = or(i.Claims.Roles, "roles")
	i.Claims.Tenant = or(i.Claims.Tenant, "tenant")

	return i
}

func algorithms() []string { return []string{"RS256", "ES256", "EdDSA"} }

func (u Upstream) withDefaults() Upstream {
	u.Breaker.FailureRatio = or(u.Breaker.FailureRatio, defaultFailureRatio)
	u.Breaker.MinRequests = or(u.Breaker.MinRequests, defaultMinRequests)
	u.Breaker.Window = or(u.Breaker.Window, defaultWindow)
	u.Breaker.OpenFor = or(u.Breaker.OpenFor, defaultOpenFor)

	return u
}

// or is the value, or the default for the zero value.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}

	return value
}
