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
	defaultDrainDelay        = 5 * time.Second
	defaultDrainTimeout      = 30 * time.Second
	defaultCORSMaxAge        = 10 * time.Minute
	defaultMaxBodyBytes      = 1 << 20
	defaultMaxRatio          = 100
	defaultMaxDepth          = 64
	defaultMinCompressed     = 1 << 10
	defaultIdempotencyBytes  = 64 << 20
	defaultClientRequests    = 1000
	defaultClientBurst       = 2000
	defaultMaxKeys           = 100_000
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
	defaultSlowRatio         = 0.8
	defaultProbes            = 1
	defaultMaxConnections    = 20_000
	defaultMaxStreamsPerConn = 250
	defaultMaxAborted        = 100
	defaultCacheBytes        = 64 << 20
	defaultMaxInFlight       = 2000
	defaultMaxStreams        = 10_000
	defaultKeysGrace         = 30 * time.Second
	defaultRedisTimeout      = 100 * time.Millisecond
	defaultDNSRefresh        = 30 * time.Second
	defaultProbeInterval     = 500 * time.Millisecond
	defaultProbeTimeout      = time.Second
	defaultMaxBuffered       = 256 << 20
	defaultMaxReceiveBytes   = 4 << 20 // gRPC's.
	defaultEjectFailures     = 5
	defaultEjectTime         = 5 * time.Second
	defaultEjectRatio        = 0.5
	defaultMinConcurrency    = 20
	defaultMaxConcurrency    = 1000
	defaultConcurrency       = 200
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
	c.Cache.MaxBytes = or(c.Cache.MaxBytes, defaultCacheBytes)
	c.Overload.MaxInFlight = or(c.Overload.MaxInFlight, defaultMaxInFlight)
	c.Overload.MaxStreams = or(c.Overload.MaxStreams, defaultMaxStreams)
	c.Overload.MaxBufferedResponseBytes = or(c.Overload.MaxBufferedResponseBytes, defaultMaxBuffered)
	c.Redis.Timeout = or(c.Redis.Timeout, defaultRedisTimeout)
	c.Redis.Prefix = or(c.Redis.Prefix, "portico:")
	c.Idempotency.MaxBytes = or(c.Idempotency.MaxBytes, defaultIdempotencyBytes)
	c.Limits = c.Limits.withDefaults()
	c.Auth = c.Auth.WithDefaults()
	c.Docs = c.Docs.withDefaults()
	c.Log.Level = or(c.Log.Level, "info")
	c.Log.Format = or(c.Log.Format, "json")

	if c.Query.Ignored == nil {
		c.Query.Ignored = []string{"utm_*"}
	}

	if len(c.CORS.AllowedHeaders) == 0 {
		c.CORS.AllowedHeaders = []string{"Authorization", "Content-Type", "Idempotency-Key", "Last-Event-Id", "X-Request-Id"}
	}

	upstreams := make(map[string]Upstream, len(c.Upstreams))
	for name, upstream := range c.Upstreams {
		upstreams[name] = upstream.WithDefaults()
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
	s.DrainDelay = or(s.DrainDelay, defaultDrainDelay)
	s.DrainTimeout = or(s.DrainTimeout, defaultDrainTimeout)
	s.MaxConnections = or(s.MaxConnections, defaultMaxConnections)
	s.MaxStreamsPerConnection = or(s.MaxStreamsPerConnection, defaultMaxStreamsPerConn)
	s.MaxAbortedPerConnection = or(s.MaxAbortedPerConnection, defaultMaxAborted)

	if s.TLS.ClientCAFile != "" {
		s.TLS.ClientAuth = or(s.TLS.ClientAuth, ClientAuthOptional)
	}

	return s
}

func (l Limits) withDefaults() Limits {
	l.MaxBodyBytes = or(l.MaxBodyBytes, defaultMaxBodyBytes)
	l.MaxDecompressionRatio = or(l.MaxDecompressionRatio, defaultMaxRatio)
	l.MaxKeys = or(l.MaxKeys, defaultMaxKeys)

	if l.Client == (Rate{}) {
		l.Client = Rate{Requests: defaultClientRequests, Burst: defaultClientBurst}
	}

	l.Client.Per = or(l.Client.Per, time.Second)
	l.Client.Burst = or(l.Client.Burst, l.Client.Requests)

	return l
}

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (a Auth) WithDefaults() Auth {
	a.KeysGrace = or(a.KeysGrace, defaultKeysGrace)
	a.CacheTokens = or(a.CacheTokens, defaultCacheTokens)
	a.APIKeys.Header = or(a.APIKeys.Header, defaultAPIKeyHeader)
	a.APIKeys.ReloadInterval = or(a.APIKeys.ReloadInterval, defaultReloadInterval)
	a.Internal.Lifetime = or(a.Internal.Lifetime, defaultInternalLifetime)

	issuers := make([]Issuer, 0, len(a.Issuers))
	for _, issuer := range a.Issuers {
		issuers = append(issuers, issuer.withDefaults())
	}

	a.Issuers = issuers

	return a
}

func (i Issuer) withDefaults() Issuer {
	if len(i.Algorithms) == 0 {
		i.Algorithms = algorithms()
	}

	if len(i.TokenTypes) == 0 {
		i.TokenTypes = []string{"", "JWT", "at+jwt"}
	}

	i.RefreshInterval = or(i.RefreshInterval, defaultRefreshInterval)
	i.Leeway = or(i.Leeway, defaultLeeway)
	i.Claims.Subject = or(i.Claims.Subject, "sub")
	i.Claims.Roles = or(i.Claims.Roles, "roles")
	i.Claims.Tenant = or(i.Claims.Tenant, "tenant")

	return i
}

func algorithms() []string { return []string{"RS256", "ES256", "EdDSA"} }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (u Upstream) WithDefaults() Upstream {
	u.Breaker.FailureRatio = or(u.Breaker.FailureRatio, defaultFailureRatio)
	u.Breaker.MinRequests = or(u.Breaker.MinRequests, defaultMinRequests)
	u.Breaker.Window = or(u.Breaker.Window, defaultWindow)
	u.Breaker.OpenFor = or(u.Breaker.OpenFor, defaultOpenFor)
	u.Breaker.SlowRatio = or(u.Breaker.SlowRatio, defaultSlowRatio)
	u.Breaker.Probes = or(u.Breaker.Probes, defaultProbes)
	u.Balancing = or(u.Balancing, balancings()[0])
	u.RefreshInterval = or(u.RefreshInterval, defaultDNSRefresh)
	u.MaxReceiveBytes = or(u.MaxReceiveBytes, defaultMaxReceiveBytes)
	u.Probe.Interval = or(u.Probe.Interval, defaultProbeInterval)
	u.Probe.Timeout = or(u.Probe.Timeout, defaultProbeTimeout)
	u.Ejection.Failures = or(u.Ejection.Failures, defaultEjectFailures)
	u.Ejection.Time = or(u.Ejection.Time, defaultEjectTime)
	u.Ejection.MaxRatio = or(u.Ejection.MaxRatio, defaultEjectRatio)
	u.Concurrency.Min = or(u.Concurrency.Min, defaultMinConcurrency)
	u.Concurrency.Max = or(u.Concurrency.Max, defaultMaxConcurrency)
	u.Concurrency.Initial = or(u.Concurrency.Initial, min(max(defaultConcurrency, u.Concurrency.Min), u.Concurrency.Max))

	return u
}

func balancings() []string {
	return []string{"round_robin", "least_request", "weighted_round_robin", "ring_hash"}
}

// or is the value, or the default for the zero value.
func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}

	return value
}
