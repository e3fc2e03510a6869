package config

import (
	"cmp"
	"time"
)

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
	c.Admin.Address = cmp.Or(c.Admin.Address, defaultAdminAddress)
	c.CORS.MaxAge = cmp.Or(c.CORS.MaxAge, defaultCORSMaxAge)
	c.JSON = c.JSON.WithDefaults()
	c.Compression.MinBytes = cmp.Or(c.Compression.MinBytes, defaultMinCompressed)
	c.Cache.MaxBytes = cmp.Or(c.Cache.MaxBytes, defaultCacheBytes)
	c.Overload.MaxInFlight = cmp.Or(c.Overload.MaxInFlight, defaultMaxInFlight)
	c.Overload.MaxStreams = cmp.Or(c.Overload.MaxStreams, defaultMaxStreams)
	c.Overload.MaxBufferedResponseBytes = cmp.Or(c.Overload.MaxBufferedResponseBytes, defaultMaxBuffered)
	c.Redis = c.Redis.WithDefaults()
	c.Idempotency.MaxBytes = cmp.Or(c.Idempotency.MaxBytes, defaultIdempotencyBytes)
	c.Limits = c.Limits.withDefaults()
	c.Auth = c.Auth.WithDefaults()
	c.Docs = c.Docs.withDefaults()
	c.Log.Level = cmp.Or(c.Log.Level, "info")
	c.Log.Format = cmp.Or(c.Log.Format, "json")

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
	s.Address = cmp.Or(s.Address, defaultAddress)
	s.ReadHeaderTimeout = cmp.Or(s.ReadHeaderTimeout, defaultReadHeaderTimeout)
	s.IdleTimeout = cmp.Or(s.IdleTimeout, defaultIdleTimeout)
	s.MaxHeaderBytes = cmp.Or(s.MaxHeaderBytes, defaultMaxHeaderBytes)
	s.RequestTimeout = cmp.Or(s.RequestTimeout, defaultRequestTimeout)
	s.DrainDelay = cmp.Or(s.DrainDelay, defaultDrainDelay)
	s.DrainTimeout = cmp.Or(s.DrainTimeout, defaultDrainTimeout)
	s.MaxConnections = cmp.Or(s.MaxConnections, defaultMaxConnections)
	s.MaxStreamsPerConnection = cmp.Or(s.MaxStreamsPerConnection, defaultMaxStreamsPerConn)
	s.MaxAbortedPerConnection = cmp.Or(s.MaxAbortedPerConnection, defaultMaxAborted)

	if s.TLS.ClientCAFile != "" {
		s.TLS.ClientAuth = cmp.Or(s.TLS.ClientAuth, ClientAuthOptional)
	}

	return s
}

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (j JSON) WithDefaults() JSON {
	j.Names = cmp.Or(j.Names, NamesCamel)
	j.MaxDepth = cmp.Or(j.MaxDepth, defaultMaxDepth)

	return j
}

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (r Redis) WithDefaults() Redis {
	r.Timeout = cmp.Or(r.Timeout, defaultRedisTimeout)
	r.Prefix = cmp.Or(r.Prefix, "portico:")

	return r
}

func (l Limits) withDefaults() Limits {
	l.MaxBodyBytes = cmp.Or(l.MaxBodyBytes, defaultMaxBodyBytes)
	l.MaxDecompressionRatio = cmp.Or(l.MaxDecompressionRatio, defaultMaxRatio)
	l.MaxKeys = cmp.Or(l.MaxKeys, defaultMaxKeys)

	if l.Client == (Rate{}) {
		l.Client = Rate{Requests: defaultClientRequests, Burst: defaultClientBurst}
	}

	l.Client.Per = cmp.Or(l.Client.Per, time.Second)
	l.Client.Burst = cmp.Or(l.Client.Burst, l.Client.Requests)

	return l
}

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (a Auth) WithDefaults() Auth {
	a.KeysGrace = cmp.Or(a.KeysGrace, defaultKeysGrace)
	a.CacheTokens = cmp.Or(a.CacheTokens, defaultCacheTokens)
	a.APIKeys.Header = cmp.Or(a.APIKeys.Header, defaultAPIKeyHeader)
	a.APIKeys.ReloadInterval = cmp.Or(a.APIKeys.ReloadInterval, defaultReloadInterval)
	a.Internal.Lifetime = cmp.Or(a.Internal.Lifetime, defaultInternalLifetime)

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

	i.RefreshInterval = cmp.Or(i.RefreshInterval, defaultRefreshInterval)
	i.Leeway = cmp.Or(i.Leeway, defaultLeeway)
	i.Claims.Subject = cmp.Or(i.Claims.Subject, "sub")
	i.Claims.Roles = cmp.Or(i.Claims.Roles, "roles")
	i.Claims.Tenant = cmp.Or(i.Claims.Tenant, "tenant")

	return i
}

func algorithms() []string { return []string{"RS256", "ES256", "EdDSA"} }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (u Upstream) WithDefaults() Upstream {
	u.Breaker.FailureRatio = cmp.Or(u.Breaker.FailureRatio, defaultFailureRatio)
	u.Breaker.MinRequests = cmp.Or(u.Breaker.MinRequests, defaultMinRequests)
	u.Breaker.Window = cmp.Or(u.Breaker.Window, defaultWindow)
	u.Breaker.OpenFor = cmp.Or(u.Breaker.OpenFor, defaultOpenFor)
	u.Breaker.SlowRatio = cmp.Or(u.Breaker.SlowRatio, defaultSlowRatio)
	u.Breaker.Probes = cmp.Or(u.Breaker.Probes, defaultProbes)
	u.Balancing = cmp.Or(u.Balancing, balancings()[0])
	u.RefreshInterval = cmp.Or(u.RefreshInterval, defaultDNSRefresh)
	u.MaxReceiveBytes = cmp.Or(u.MaxReceiveBytes, defaultMaxReceiveBytes)
	u.Probe.Interval = cmp.Or(u.Probe.Interval, defaultProbeInterval)
	u.Probe.Timeout = cmp.Or(u.Probe.Timeout, defaultProbeTimeout)
	u.Ejection.Failures = cmp.Or(u.Ejection.Failures, defaultEjectFailures)
	u.Ejection.Time = cmp.Or(u.Ejection.Time, defaultEjectTime)
	u.Ejection.MaxRatio = cmp.Or(u.Ejection.MaxRatio, defaultEjectRatio)
	u.Concurrency.Min = cmp.Or(u.Concurrency.Min, defaultMinConcurrency)
	u.Concurrency.Max = cmp.Or(u.Concurrency.Max, defaultMaxConcurrency)
	u.Concurrency.Initial = cmp.Or(u.Concurrency.Initial, min(max(defaultConcurrency, u.Concurrency.Min), u.Concurrency.Max))

	return u
}

func balancings() []string {
	return []string{"round_robin", "least_request", "weighted_round_robin", "ring_hash"}
}
