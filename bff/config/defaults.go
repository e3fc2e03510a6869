package config

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/caarlos0/env/v11"
)

// inFlightPerCPU requests need 100 to 200 ms of a CPU, and with responses of 10 KB some 50 MB.
const inFlightPerCPU = 1000

// WithDefaults returns the configuration with every zero value replaced by its documented default.
func (c Config) WithDefaults() Config {
	if c.Limits.Client == (Rate{}) {
		c.Limits.Client = Rate{Requests: 1000, Burst: 2000}
	}

	c = withDefaults(c)
	c.Auth = c.Auth.WithDefaults()
	c.Overload.MaxInFlight = cmp.Or(c.Overload.MaxInFlight, inFlightPerCPU*runtime.GOMAXPROCS(0))
	c.Limits.Client.Burst = cmp.Or(c.Limits.Client.Burst, c.Limits.Client.Requests)

	if c.Server.TLS.ClientCAFile != "" {
		c.Server.TLS.ClientAuth = cmp.Or(c.Server.TLS.ClientAuth, ClientAuthOptional)
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

// withDefaults fills in the defaults that the tags of the fields name.
func withDefaults[T any](settings T) T {
	err := env.ParseWithOptions(&settings, env.Options{
		DefaultValueTagName: "default", SetDefaultsForZeroValuesOnly: true, Environment: map[string]string{},
	})
	if err != nil {
		panic(fmt.Sprintf("defaults of %T: %v", settings, err)) // The tags are constants.
	}

	return settings
}

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (j JSON) WithDefaults() JSON { return withDefaults(j) }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (r Redis) WithDefaults() Redis { return withDefaults(r) }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (b Breaker) WithDefaults() Breaker { return withDefaults(b) }

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (a Auth) WithDefaults() Auth {
	a = withDefaults(a)
	a.Internal.Lifetime = cmp.Or(a.Internal.Lifetime, time.Minute)
	a.Issuers = slices.Clone(a.Issuers)

	for i := range a.Issuers {
		issuer := withDefaults(a.Issuers[i])
		issuer.Leeway = cmp.Or(issuer.Leeway, 30*time.Second)

		if len(issuer.Algorithms) == 0 {
			issuer.Algorithms = []string{"RS256", "ES256", "EdDSA"}
		}

		if len(issuer.TokenTypes) == 0 {
			issuer.TokenTypes = []string{"", "JWT", "at+jwt"}
		}

		a.Issuers[i] = issuer
	}

	return a
}

// WithDefaults returns the settings with every zero value replaced by its documented default.
func (u Upstream) WithDefaults() Upstream {
	u = withDefaults(u)
	u.Concurrency.Initial = cmp.Or(u.Concurrency.Initial, min(max(200, u.Concurrency.Min), u.Concurrency.Max))

	return u
}
