package config_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
)

// issuers are variables for issuers, the last one first.
func issuers(from, to int) []string {
	var environ []string
	for i := to - 1; i >= from; i-- {
		environ = append(environ, fmt.Sprintf("PORTICO_AUTH_ISSUERS_%d_ISSUER=issuer%d", i, i))
	}

	return environ
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	t.Parallel()

	const text = `
server: {address: ":80", idle_timeout: 2s}
cors: {allowed_origins: ["https://a.example", "https://b.example"]}
limits: {client: {requests: 9, burst: 11}}
auth:
  issuers:
    - {issuer: a, audiences: [b], jwks_file: c}
    - {issuer: d, audiences: [e], jwks_file: f}
upstreams:
  user: {addresses: ["u:1"], breaker: {min_requests: 15}}
  order: {target: "dns:///o:1"}
  user-us: {target: "dns:///us:7"}
`

	tests := []struct {
		name    string
		environ []string
		want    func(c *config.Config)
	}{
		{"nothing", nil, func(*config.Config) {}},
		{"other_programs_variables", []string{"SERVER_ADDRESS=:1", "PATH=/bin", "PORTICO=x"}, func(*config.Config) {}},
		{"string", []string{"PORTICO_SERVER_ADDRESS=:443"}, func(c *config.Config) { c.Server.Address = ":443" }},
		{"duration", []string{"PORTICO_SERVER_IDLE_TIMEOUT=1m30s"}, func(c *config.Config) { c.Server.IdleTimeout = 90 * time.Second }},
		{"number_two_levels_down", []string{"PORTICO_LIMITS_CLIENT_BURST=99"}, func(c *config.Config) { c.Limits.Client.Burst = 99 }},
		{"truth", []string{"PORTICO_AUTH_DISABLED=true"}, func(c *config.Config) { c.Auth.Disabled = true }},
		{"what_the_file_does_not_say", []string{"PORTICO_LOG_LEVEL=debug"}, func(c *config.Config) { c.Log.Level = "debug" }},
		{"list_as_a_whole", []string{"PORTICO_CORS_ALLOWED_ORIGINS=https://c.example,https://d.example"}, func(c *config.Config) {
			c.CORS.AllowedOrigins = []string{"https://c.example", "https://d.example"}
		}},
		{"list_of_one", []string{"PORTICO_CLIENT_IP_TRUSTED_PROXIES=10.0.0.0/8"}, func(c *config.Config) {
			c.ClientIP.TrustedProxies = []string{"10.0.0.0/8"}
		}},
		{"field_of_the_first_issuer", []string{"PORTICO_AUTH_ISSUERS_0_JWKS_FILE=/run/keys"}, func(c *config.Config) {
			c.Auth.Issuers[0].JWKSFile = "/run/keys"
		}},
		{"field_of_the_second_issuer", []string{"PORTICO_AUTH_ISSUERS_1_AUDIENCES=x,y"}, func(c *config.Config) {
			c.Auth.Issuers[1].Audiences = []string{"x", "y"}
		}},
		{
			"third_issuer",
			[]string{
				"PORTICO_AUTH_ISSUERS_0_LEEWAY=1s", "PORTICO_AUTH_ISSUERS_1_LEEWAY=2s",
				"PORTICO_AUTH_ISSUERS_2_ISSUER=g", "PORTICO_AUTH_ISSUERS_2_JWKS_URL=https://h.example",
			},
			func(c *config.Config) {
				c.Auth.Issuers[0].Leeway, c.Auth.Issuers[1].Leeway = time.Second, 2*time.Second
				c.Auth.Issuers = append(c.Auth.Issuers, config.Issuer{Issuer: "g", JWKSURL: "https://h.example"})
			},
		},
		{"addresses_of_an_upstream", []string{"PORTICO_UPSTREAMS_USER_ADDRESSES=u:7,u:8"}, func(c *config.Config) {
			u := c.Upstreams["user"]
			u.Addresses = []string{"u:7", "u:8"}
			c.Upstreams["user"] = u
		}},
		{"target_of_an_upstream", []string{"PORTICO_UPSTREAMS_ORDER_TARGET=dns:///o:2"}, func(c *config.Config) {
			c.Upstreams["order"] = config.Upstream{Target: "dns:///o:2"}
		}},
		{"authority_of_an_upstream", []string{"PORTICO_UPSTREAMS_USER_AUTHORITY=u.internal"}, func(c *config.Config) {
			u := c.Upstreams["user"]
			u.Authority = "u.internal"
			c.Upstreams["user"] = u
		}},
		{"breaker_of_an_upstream", []string{"PORTICO_UPSTREAMS_USER_BREAKER_OPEN_FOR=9s"}, func(c *config.Config) {
			u := c.Upstreams["user"]
			u.Breaker.OpenFor = 9 * time.Second
			c.Upstreams["user"] = u
		}},
		{"message_size_of_an_upstream", []string{"PORTICO_UPSTREAMS_USER_MAX_RECEIVE_BYTES=9"}, func(c *config.Config) {
			u := c.Upstreams["user"]
			u.MaxReceiveBytes = 9
			c.Upstreams["user"] = u
		}},
		{
			"upstream_that_the_file_does_not_know",
			[]string{"PORTICO_UPSTREAMS_PAYMENT_TARGET=dns:///p:1", "PORTICO_UPSTREAMS_PAYMENT_BREAKER_MIN_REQUESTS=3"},
			func(c *config.Config) {
				c.Upstreams["payment"] = config.Upstream{Target: "dns:///p:1", Breaker: config.Breaker{MinRequests: 3}}
			},
		},
		{"upstream_with_an_underscore", []string{"PORTICO_UPSTREAMS_USER_EU_TARGET=dns:///eu:1"}, func(c *config.Config) {
			c.Upstreams["user_eu"] = config.Upstream{Target: "dns:///eu:1"}
		}},
		{"second_issuer_without_the_first", []string{"PORTICO_AUTH_ISSUERS_1_ISSUER=x"}, func(c *config.Config) {
			c.Auth.Issuers[1].Issuer = "x"
		}},
		{"issuers_from_the_tenth_on", issuers(2, 12), func(c *config.Config) {
			for i := 2; i < 12; i++ {
				c.Auth.Issuers = append(c.Auth.Issuers, config.Issuer{Issuer: fmt.Sprint("issuer", i)})
			}
		}},
		{"list_with_spaces", []string{"PORTICO_CORS_ALLOWED_ORIGINS=https://c.example, https://d.example"}, func(c *config.Config) {
			c.CORS.AllowedOrigins = []string{"https://c.example", "https://d.example"}
		}},
		{"list_of_another_with_an_empty_text", []string{"PORTICO_AUTH_ISSUERS_0_TOKEN_TYPES=,JWT"}, func(c *config.Config) {
			c.Auth.Issuers[0].TokenTypes = []string{"", "JWT"}
		}},
		{"empty", []string{"PORTICO_SERVER_ADDRESS=", "PORTICO_SERVER_ADRESS="}, func(*config.Config) {}},
		{"of_portico_dev", []string{"PORTICO_DEV_DATA_DIR=/tmp"}, func(*config.Config) {}},
		{"upstream_with_a_hyphen_in_the_file", []string{"PORTICO_UPSTREAMS_USER_US_TARGET=dns:///us:1"}, func(c *config.Config) {
			c.Upstreams["user-us"] = config.Upstream{Target: "dns:///us:1"}
		}},
		{"upstream_that_is_called_as_a_setting", []string{"PORTICO_UPSTREAMS_MY_TARGET_SVC_ADDRESSES=t:1"}, func(c *config.Config) {
			c.Upstreams["my_target_svc"] = config.Upstream{Addresses: []string{"t:1"}}
		}},
		{"later_of_two", []string{"PORTICO_LOG_LEVEL=info", "PORTICO_LOG_LEVEL=warn"}, func(c *config.Config) { c.Log.Level = "warn" }},
		{"value_with_an_equals_sign", []string{"PORTICO_AUTH_ISSUERS_0_JWKS_FILE=/a=b"}, func(c *config.Config) {
			c.Auth.Issuers[0].JWKSFile = "/a=b"
		}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			path := file(t, text)

			want, err := config.Read(path, nil)
			if err != nil {
				t.Fatal(err)
			}

			tt.want(&want)

			got, err := config.Read(path, tt.environ)
			if err != nil {
				t.Fatal(err)
			}

			if diff := cmp.Diff(want, got, asSet); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEnvironmentAlone(t *testing.T) {
	t.Parallel()

	got, err := config.Load("", []string{"PORTICO_AUTH_DISABLED=true", "PORTICO_UPSTREAMS_USER_ADDRESSES=u:1"})
	if err != nil {
		t.Fatal(err)
	}

	want := config.Config{
		Auth: config.Auth{Disabled: true}, Upstreams: map[string]config.Upstream{"user": {Addresses: []string{"u:1"}}},
	}.WithDefaults()
	if diff := cmp.Diff(want, got, asSet); diff != "" {
		t.Error(diff)
	}
}

func TestEnvironmentThatCannotBeRead(t *testing.T) {
	t.Parallel()

	tests := []struct{ name, variable, want string }{
		{
			"duration", "PORTICO_SERVER_IDLE_TIMEOUT=soon",
			`PORTICO_SERVER_IDLE_TIMEOUT: server.idle_timeout: "soon" is not a duration, such as 500ms, 4s or 1h30m`,
		},
		{"truth", "PORTICO_AUTH_DISABLED=maybe", `PORTICO_AUTH_DISABLED: auth.disabled: "maybe" is not true or false`},
		{"number", "PORTICO_CACHE_MAX_BYTES=64MB", `PORTICO_CACHE_MAX_BYTES: cache.max_bytes: "64MB" is not a whole number`},
		{"element", "PORTICO_AUTH_ISSUERS_0_LEEWAY=30", `PORTICO_AUTH_ISSUERS_0_LEEWAY: auth.issuers[0].leeway: "30" is not a duration`},
		{
			"upstream", "PORTICO_UPSTREAMS_USER_BREAKER_MIN_REQUESTS=-1",
			`PORTICO_UPSTREAMS_USER_BREAKER_MIN_REQUESTS: upstreams.user.breaker.min_requests: "-1" is not a whole number of at least 0`,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := config.Read("", []string{tt.variable})
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "parse") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestEnvironmentIsLocated(t *testing.T) {
	t.Parallel()

	const text = `
cors: {allowed_origins: ["https://a.example", "https://b.example"]}
auth: {issuers: [{issuer: a}]}
`

	path := file(t, text)

	c, err := config.Read(path, []string{
		"PORTICO_CORS_ALLOWED_ORIGINS=https://c.example,https://d.example", "PORTICO_AUTH_ISSUERS_1_ISSUER=b",
		"PORTICO_UPSTREAMS_USER_TARGET=dns:///u:1",
	})
	if err != nil {
		t.Fatal(err)
	}

	for setting, want := range map[string]string{
		"cors.allowed_origins[1]":  "PORTICO_CORS_ALLOWED_ORIGINS",
		"cors":                     path + ":2:7",
		"auth.issuers":             path + ":3:17",
		"auth.issuers[0].issuer":   path + ":3:27",
		"auth.issuers[1]":          "PORTICO_AUTH_ISSUERS_1_ISSUER",
		"auth.issuers[1].leeway":   "PORTICO_AUTH_ISSUERS_1_ISSUER",
		"upstreams.user":           "PORTICO_UPSTREAMS_USER_TARGET",
		"upstreams.user.addresses": "PORTICO_UPSTREAMS_USER_TARGET",
	} {
		if got := c.Origins().Of(setting).String(); got != want {
			t.Errorf("%s: got %s, want %s", setting, got, want)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	t.Parallel()

	const text = `
auth: {issuers: [{issuer: a}]}
upstreams: {user: {target: "dns:///u:1"}}
`

	tests := []struct{ name, variable, want string }{
		{"section", "PORTICO_SERVR_ADDRESS", `did you mean "PORTICO_SERVER_ADDRESS"?`},
		{"setting", "PORTICO_SERVER_ADRESS", `did you mean "PORTICO_SERVER_ADDRESS"?`},
		{"case", "PORTICO_server_address", `did you mean "PORTICO_SERVER_ADDRESS"?`},
		{"two_underscores", "PORTICO_SERVER__ADDRESS", `did you mean "PORTICO_SERVER_ADDRESS"?`},
		{"setting_of_an_issuer", "PORTICO_AUTH_ISSUERS_1_ISUER", `did you mean "PORTICO_AUTH_ISSUERS_1_ISSUER"?`},
		{"issuer_without_an_index", "PORTICO_AUTH_ISSUERS_ISSUER", `did you mean "PORTICO_AUTH_ISSUERS_0_ISSUER"?`},
		{"index_with_a_zero_before_it", "PORTICO_AUTH_ISSUERS_01_ISSUER", `did you mean "PORTICO_AUTH_ISSUERS_1_ISSUER"?`},
		{"setting_of_an_upstream", "PORTICO_UPSTREAMS_USER_TARGT", `did you mean "PORTICO_UPSTREAMS_USER_TARGET"?`},
		{"setting_of_another_upstream", "PORTICO_UPSTREAMS_ORDER_ADRESSES", `did you mean "PORTICO_UPSTREAMS_ORDER_ADDRESSES"?`},
		{"element_of_a_list_of_texts", "PORTICO_CORS_ALLOWED_ORIGINS_0", "PORTICO_CORS_ALLOWED_ORIGINS sets the whole list"},
		{"policies", "PORTICO_POLICIES_0_SELECTOR", "the setting is in the file alone"},
		{"claims", "PORTICO_AUTH_ISSUERS_0_REQUIRED_CLAIMS", "the setting is in the file alone"},
		{"section_alone", "PORTICO_SERVER", "there is no such variable"},
		{"nothing", "PORTICO_", "there is no such variable"},
		{"far_from_all", "PORTICO_XYZ", "there is no such variable"},
		{"not_of_a_service", "PORTICO_PORT", "there is no such variable"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			_, err := config.Read(file(t, text), []string{tt.variable + "=8080"})
			if err == nil || !strings.HasPrefix(err.Error(), tt.variable+": there is no such variable") ||
				!strings.HasSuffix(strings.TrimSuffix(err.Error(), ", with commas between its values"), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// A gap would have to be filled with something.
func TestElementsByIndexHaveNoGaps(t *testing.T) {
	t.Parallel()

	for _, row := range []struct{ text, variable, want string }{
		{
			"auth: {issuers: [{issuer: a}]}", "PORTICO_AUTH_ISSUERS_2_ISSUER",
			"PORTICO_AUTH_ISSUERS_2_ISSUER: auth.issuers[2].issuer: leaves a gap: the next element of the list has the index 1",
		},
		{"{}", "PORTICO_AUTH_ISSUERS_1_ISSUER", "has the index 0"},
		{"{}", "PORTICO_AUTH_ISSUERS_99999999_ISSUER", "leaves a gap"},
	} {
		_, err := config.Read(file(t, row.text), []string{row.variable + "=b"})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("got %v", err)
		}
	}
}

// Kubernetes sets these in every container, for services of the same namespace.
func TestVariablesOfServices(t *testing.T) {
	t.Parallel()

	for _, service := range []string{"PORTICO", "PORTICO_ADMIN", "PORTICO_SERVER", "PORTICO_7"} {
		environ := []string{
			"_SERVICE_HOST=10.96.0.1", "_SERVICE_PORT=8080", "_SERVICE_PORT_HTTP=8080", "_SERVICE_PORT_HTTP_ADMIN=8081",
			"_PORT=tcp://10.96.0.1:8080", "_PORT_8080_TCP=tcp://10.96.0.1:8080", "_PORT_8080_TCP_PROTO=tcp",
			"_PORT_8080_TCP_PORT=8080", "_PORT_8080_TCP_ADDR=10.96.0.1",
			"_PORT_53_UDP=udp://[fd00::1]:53", "_PORT_53_UDP_PROTO=udp", "_PORT_53_UDP_PORT=53", "_PORT_53_UDP_ADDR=fd00::1",
			"_SERVICE_HOST=fd00::1",
		}
		for i := range environ {
			environ[i] = service + environ[i]
		}

		got, err := config.Read("", environ)
		if err != nil {
			t.Error(err)
		}

		if diff := cmp.Diff(config.Config{}, got, asSet); diff != "" {
			t.Error(diff)
		}
	}

	for _, similar := range []string{
		"PORTICO_SERVICE_HOST=localhost", "PORTICO_SERVICE_PORT=http", "PORTICO_PORT=8080", "PORTICO_PORT_8080_TCP=yes",
		"PORTICO_SERVICE=x", "PORTICO_PORT_8080_TCP_NAME=x", "PORTICO_PORT_8080_TCP_ADDR=x", "PORTICO_PORT_8080_TCP_PROTO=http",
	} {
		if _, err := config.Read("", []string{similar}); err == nil {
			t.Errorf("%s was accepted", similar)
		}
	}
}

// The name of a variable follows from the path of its setting, so that it can be guessed.
func TestVariablesAreCalledAsTheirSettings(t *testing.T) {
	t.Parallel()

	var check func(kind reflect.Type, path string)

	check = func(kind reflect.Type, path string) {
		for field := range kind.Fields() {
			name := field.Tag.Get("yaml")
			if !field.IsExported() || field.Tag.Get("env") == "-" {
				continue
			}

			inner := field.Type
			if inner.Kind() == reflect.Map || inner.Kind() == reflect.Slice {
				inner = inner.Elem()
			}

			want, got := strings.ToUpper(name), field.Tag.Get("env")
			if inner.Kind() == reflect.Struct {
				want, got = want+"_", field.Tag.Get("envPrefix")

				check(inner, path+name+".")
			}

			if got != want {
				t.Errorf("%s%s: got %s, want %s", path, name, got, want)
			}
		}
	}

	check(reflect.TypeFor[config.Config](), "")
}
