package config_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
)

// Once, a zero was taken as nothing, and so as the default.
func TestZeroIsNotTheDefault(t *testing.T) {
	t.Parallel()

	const complete = "auth: {disabled: true, issuers: [{issuer: 'https://a', audiences: [b]LEEWAY}]}\n"

	tests := []struct {
		name, text string
		environ    []string
		want       func(c *config.Config)
	}{
		{"drain_delay", "server: {drain_delay: 0s}\n", nil, func(c *config.Config) { c.Server.DrainDelay = 0 }},
		{"of_the_environment", "", []string{"PORTICO_SERVER_DRAIN_DELAY=0s"}, func(c *config.Config) { c.Server.DrainDelay = 0 }},
		{"over_the_file", "server: {drain_delay: 1s}\n", []string{"PORTICO_SERVER_DRAIN_DELAY=0ms"}, func(c *config.Config) {
			c.Server.DrainDelay = 0
		}},
		{"under_the_environment", "server: {drain_delay: 0s}\n", []string{"PORTICO_SERVER_DRAIN_DELAY=1s"}, func(c *config.Config) {
			c.Server.DrainDelay = time.Second
		}},
		{"nothing", "server: {drain_delay: }\n", nil, func(*config.Config) {}},
		{"null", "server: {drain_delay: null}\n", nil, func(*config.Config) {}},
		{"merged", "server: {<<: {drain_delay: 0s}}\n", nil, func(c *config.Config) { c.Server.DrainDelay = 0 }},
		{"leeway", strings.Replace(complete, "LEEWAY", ", leeway: 0s", 1), nil, func(c *config.Config) { c.Auth.Issuers[0].Leeway = 0 }},
		{"keys_grace", "auth: {disabled: true, keys_grace: 0s}\n", nil, func(c *config.Config) { c.Auth.KeysGrace = 0 }},
		{"max_age", "cors: {max_age: 0s}\n", nil, func(c *config.Config) { c.CORS.MaxAge = 0 }},
		{"min_bytes", "compression: {min_bytes: 0}\n", nil, func(c *config.Config) { c.Compression.MinBytes = 0 }},
		{"prefix", "redis: {prefix: ''}\n", nil, func(c *config.Config) { c.Redis.Prefix = "" }},
		{"allowed_headers", "cors: {allowed_headers: []}\n", nil, func(c *config.Config) { c.CORS.AllowedHeaders = []string{} }},
		{"ignored", "query: {ignored: []}\n", nil, func(c *config.Config) { c.Query.Ignored = []string{} }},
		{"ignored_null", "query: {ignored: }\n", nil, func(*config.Config) {}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			text := tt.text
			if !strings.Contains(text, "auth:") {
				text += strings.Replace(complete, "LEEWAY", "", 1)
			}

			got, err := config.Load(file(t, text), tt.environ)
			if err != nil {
				t.Fatal(err)
			}

			want := config.Config{Auth: config.Auth{Disabled: true}}
			if len(got.Auth.Issuers) > 0 {
				want.Auth.Issuers = []config.Issuer{{Issuer: "https://a", Audiences: []string{"b"}}}
			}

			want = want.WithDefaults()
			tt.want(&want)

			// Compile fills in the defaults again.
			for range 2 {
				if diff := cmp.Diff(want, got, asSet); diff != "" {
					t.Fatal(diff)
				}

				got = got.WithDefaults()
			}
		})
	}
}

func TestZeroIsRefused(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ text, want string }{
		{"overload: {max_in_flight: 0}", ":1:27: overload.max_in_flight: must be positive"},
		{"server: {request_timeout: 0s}", ":1:27: server.request_timeout: must be positive"},
		{"limits: {client: {requests: 0}}", ":1:29: limits.client.requests: must be positive"},
		{"limits: {client: {burst: 0}}", ":1:26: limits.client.burst: must be positive"},
		{"server: {drain_delay: -1s}", ":1:23: server.drain_delay: must not be negative"},
		{"server: {address: ''}", `:1:19: server.address: "" is not host:port`},
		{"log: {level: ''}", `:1:14: log.level: "" is not one of`},
		{"docs: {title: ''}", ":1:15: docs.title: is needed"},
		{"upstreams: {user: {target: x, breaker: {min_requests: 0}}}", ":1:55: upstreams.user.breaker.min_requests: must be positive"},
		{"upstreams: {user: {target: x, ejection: {max_ratio: 0}}}", ":1:53: upstreams.user.ejection.max_ratio: must be over 0"},
		{"upstreams: {user: {target: x, concurrency: {initial: 0}}}", "upstreams.user.concurrency: needs min <= initial <= max"},
		{"auth: {issuers: [{issuer: 'https://a', audiences: [b], algorithms: []}]}", ":1:68: auth.issuers[0].algorithms: needs at least one"},
	} {
		path := file(t, row.text+"\n")

		_, err := config.Load(path, []string{"PORTICO_AUTH_DISABLED=true"})
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v", row.text, err)
		}
	}
}

// Every setting with a default takes a zero that is in the file as one, or refuses it.
func TestEveryZeroIsKept(t *testing.T) {
	t.Parallel()

	settings(reflect.TypeFor[config.Config](), "", func(path, value string) {
		got, err := config.Read(file(t, nested(path, value)), nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)

			return
		}

		filled := reflect.ValueOf(got.WithDefaults())
		if zero := at(filled, path); !zero.IsZero() && (zero.Kind() != reflect.Slice || zero.Len() > 0) {
			t.Errorf("%s: %s became %v", path, value, zero)
		}
	})
}

// settings calls see for each setting with a default that is in no list and no map, with its zero.
func settings(t reflect.Type, path string, see func(path, value string)) {
	for field := range t.Fields() {
		at := strings.TrimPrefix(path+"."+field.Tag.Get("yaml"), ".")

		switch {
		case field.Type.Kind() == reflect.Struct:
			settings(field.Type, at, see)
		case field.Tag.Get("default") == "":
		case field.Type == reflect.TypeFor[time.Duration]():
			see(at, "0s")
		case field.Type.Kind() == reflect.String:
			see(at, "''")
		case field.Type.Kind() == reflect.Slice:
			see(at, "[]")
		default:
			see(at, "0")
		}
	}
}

// nested is a file that sets one setting.
func nested(path, value string) string {
	names := strings.Split(path, ".")

	return "{" + strings.Join(names, ": {") + ": " + value + strings.Repeat("}", len(names)) + "\n"
}

// at finds a setting by its path.
func at(settings reflect.Value, path string) reflect.Value {
	name, rest, below := strings.Cut(path, ".")

	for field, value := range settings.Fields() {
		if field.Tag.Get("yaml") == name && below {
			return at(value, rest)
		} else if field.Tag.Get("yaml") == name {
			return value
		}
	}

	panic(path)
}
