package config_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
)

// faults are the texts of a joined error.
func faults(err error) []string {
	if err == nil {
		return nil
	}

	return strings.Split(err.Error(), "\n")
}

func TestRedisSettings(t *testing.T) {
	t.Parallel()

	nodes := []string{"a:6379", "b:6379"}

	for _, row := range []struct {
		name  string
		redis config.Redis
		want  []string
	}{
		{"none", config.Redis{}, nil},
		{"url", config.Redis{URL: "redis://user:secret@a:6379/3"}, nil},
		{"url_and_password_file", config.Redis{URL: "redis://a:6379/3", Username: "u", PasswordFile: "f"}, nil},
		{"url_and_tls", config.Redis{URL: "rediss://a:6379", TLS: config.RedisTLS{CAFile: "ca"}}, nil},
		{"url_file", config.Redis{URLFile: "f"}, nil},
		{"address", config.Redis{Addresses: nodes[:1], Database: 3, Password: "p", TLS: config.RedisTLS{Enabled: true}}, nil},
		{"sentinel", config.Redis{Mode: "sentinel", Addresses: nodes, MasterName: "m", SentinelUsername: "u", SentinelPasswordFile: "f", Database: 2}, nil},
		{"cluster", config.Redis{Mode: "cluster", Addresses: nodes, Username: "u", PasswordFile: "f"}, nil},

		{"unknown_mode", config.Redis{Mode: "ring", Addresses: nodes[:1]}, []string{`redis.mode: "ring" is not one of single, sentinel, cluster`}},
		{"mode_alone", config.Redis{Mode: "cluster"}, []string{"redis.mode: needs addresses"}},
		{"password_alone", config.Redis{PasswordFile: "f"}, []string{"redis: needs url or addresses"}},
		{"tls_alone", config.Redis{TLS: config.RedisTLS{Enabled: true}}, []string{"redis: needs url or addresses"}},
		{"no_url", config.Redis{URL: "http://a"}, []string{"redis.url: is not redis://host:port or rediss://host:port"}},
		{"two_urls", config.Redis{URL: "redis://a", URLFile: "f"}, []string{"redis.url_file: does not go with url"}},
		{"url_and_addresses", config.Redis{URL: "redis://a", Addresses: nodes[:1]}, []string{"redis.addresses: do not go with url or url_file"}},
		{
			"url_of_a_cluster",
			config.Redis{URL: "redis://a", Mode: "cluster"},
			[]string{"redis.mode: needs addresses instead of url or url_file, unless it is single"},
		},
		{"url_and_database", config.Redis{URL: "redis://a", Database: 1}, []string{"redis.database: does not go with url or url_file, which ends with it"}},
		{
			"url_file_and_password",
			config.Redis{URLFile: "f", Password: "p"},
			[]string{"redis.url_file: has the user and the password, so username, password and password_file do not go with it"},
		},
		{
			"url_with_password_and_file",
			config.Redis{URL: "redis://:p@a", PasswordFile: "f"},
			[]string{"redis.url: has a password, so password and password_file do not go with it"},
		},
		{
			"url_with_user_and_user",
			config.Redis{URL: "redis://u@a", Username: "v", Password: "p"},
			[]string{"redis.url: has a user, so username does not go with it"},
		},
		{"url_without_tls", config.Redis{URL: "redis://a", TLS: config.RedisTLS{Enabled: true}}, []string{"redis.url: must begin with rediss:// for the settings of redis.tls"}},
		{
			"address_form",
			config.Redis{Mode: "cluster", Addresses: []string{"a:1", "a", "a:1"}},
			[]string{`redis.addresses[1]: "a" is not host:port, such as redis.internal:6379`, "redis.addresses[2]: is set twice"},
		},
		{"addresses_without_mode", config.Redis{Addresses: nodes}, []string{"redis.addresses: must be one in mode single; for more, set mode to sentinel or cluster"}},
		{"sentinel_without_name", config.Redis{Mode: "sentinel", Addresses: nodes}, []string{"redis.master_name: is needed in mode sentinel"}},
		{
			"sentinel_settings_elsewhere",
			config.Redis{Mode: "cluster", Addresses: nodes, MasterName: "m", SentinelUsername: "u", SentinelPassword: "p"},
			[]string{"redis.master_name: needs mode sentinel", "redis.sentinel_username: needs mode sentinel", "redis.sentinel_password: needs mode sentinel"},
		},
		{"database_of_a_cluster", config.Redis{Mode: "cluster", Addresses: nodes, Database: 1}, []string{"redis.database: must be 0 in mode cluster, which has no others"}},
		{"negative_database", config.Redis{Addresses: nodes[:1], Database: -1}, []string{"redis.database: must not be negative"}},
		{"password_twice", config.Redis{Addresses: nodes[:1], Password: "p", PasswordFile: "f"}, []string{"redis.password_file: does not go with password"}},
		{
			"sentinel_password_twice",
			config.Redis{Mode: "sentinel", Addresses: nodes, MasterName: "m", SentinelPassword: "p", SentinelPasswordFile: "f"},
			[]string{"redis.sentinel_password_file: does not go with sentinel_password"},
		},
		{"user_without_password", config.Redis{Addresses: nodes[:1], Username: "u"}, []string{"redis.username: needs password or password_file"}},
		{
			"half_a_certificate",
			config.Redis{Addresses: nodes[:1], TLS: config.RedisTLS{CertFile: "c", ServerName: "a b"}},
			[]string{"redis.tls: needs both cert_file and key_file, or neither", `redis.tls.server_name: "a b" is not a host name or an IP address`},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			c := valid()
			c.Redis = row.redis

			err := c.WithDefaults().Validate()
			if got := faults(err); !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}

			if _, ok := errors.AsType[*config.Fault](err); err != nil && !ok {
				t.Errorf("got %v, want faults with paths", err)
			}
		})
	}
}

func TestRedisFromTheEnvironment(t *testing.T) {
	t.Parallel()

	c, err := config.Read("", []string{
		"PORTICO_REDIS_MODE=sentinel", "PORTICO_REDIS_ADDRESSES=a:1,b:2", "PORTICO_REDIS_MASTER_NAME=m", "PORTICO_REDIS_PASSWORD_FILE=/run/secrets/redis",
		"PORTICO_REDIS_TLS_CA_FILE=ca",
	})
	if err != nil {
		t.Fatal(err)
	}

	r := c.Redis
	if r.Mode != config.RedisSentinel || !slices.Equal(r.Addresses, []string{"a:1", "b:2"}) || r.MasterName != "m" ||
		r.PasswordFile != "/run/secrets/redis" || r.TLS.CAFile != "ca" || !r.On() || !r.TLS.On() {
		t.Errorf("got %+v", r)
	}
}
