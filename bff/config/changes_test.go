package config_test

import (
	"slices"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
)

func TestChangesNameSettings(t *testing.T) {
	t.Parallel()

	base := func() config.Config {
		return config.Config{
			Auth:      config.Auth{Issuers: []config.Issuer{{Issuer: "https://a"}, {Issuer: "https://b"}}},
			Policies:  []config.Policy{{Selector: "*", Set: map[string]any{"timeout": "1s"}}},
			Upstreams: map[string]config.Upstream{"user": {Addresses: []string{"a:1"}}, "order": {Addresses: []string{"b:1"}}},
		}
	}

	for name, tt := range map[string]struct {
		change func(*config.Config)
		want   []string
	}{
		"nothing":  {func(*config.Config) {}, nil},
		"scalar":   {func(c *config.Config) { c.Limits.Client.Requests = 7 }, []string{"limits.client.requests"}},
		"duration": {func(c *config.Config) { c.Server.RequestTimeout = time.Second }, []string{"server.request_timeout"}},
		"element":  {func(c *config.Config) { c.Auth.Issuers[1].Audiences = []string{"x"} }, []string{"auth.issuers[1].audiences"}},
		"length":   {func(c *config.Config) { c.Auth.Issuers = c.Auth.Issuers[:1] }, []string{"auth.issuers"}},
		"policy": {
			func(c *config.Config) { c.Policies[0].Set = map[string]any{"timeout": "2s"} }, []string{"policies[0].set"},
		},
		"upstreams": {
			func(c *config.Config) {
				c.Upstreams["user"] = config.Upstream{Addresses: []string{"a:1"}, Balancing: config.RingHash}
				delete(c.Upstreams, "order")
				c.Upstreams["more"] = config.Upstream{}
			},
			[]string{"upstreams.more", "upstreams.order", "upstreams.user.balancing"},
		},
		"several": {
			func(c *config.Config) { c.Admin.Address, c.Redis.URL = "-", "redis://user:secret@host" },
			[]string{"admin.address", "redis.url"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			after := base()
			tt.change(&after)

			if got := config.Changes(base(), after); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
