package config

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
)

func (v *validation) redis(r Redis) {
	v.oneOf("redis.mode", r.Mode, RedisSingle, RedisSentinel, RedisCluster)

	if !r.On() {
		v.redisOff(r)
		return
	}

	v.redisURL(r)
	v.redisAddresses(r)
	v.redisMode(r)
	v.redisSecrets(r)
	v.check((r.TLS.CertFile == "") == (r.TLS.KeyFile == ""), "redis.tls", "needs both cert_file and key_file, or neither")
	v.check(r.TLS.ServerName == "" || isHost(r.TLS.ServerName), "redis.tls.server_name",
		fmt.Sprintf("%q is not a host name or an IP address", r.TLS.ServerName))
}

// redisOff refuses settings that say how to reach a Redis that no setting names.
func (v *validation) redisOff(r Redis) {
	v.check(r.Mode == "" || r.Mode == RedisSingle, "redis.mode", "needs addresses")

	used := r
	used.Mode, used.Timeout, used.Prefix, used.Addresses = "", 0, "", nil
	v.check(reflect.ValueOf(used).IsZero(), "redis", "needs url or addresses")
}

// redisURL checks a URL, and what may not be beside it.
func (v *validation) redisURL(r Redis) {
	if r.URL == "" && r.URLFile == "" {
		return
	}

	v.check(r.URL == "" || r.URLFile == "", "redis.url_file", "does not go with url")
	v.check(len(r.Addresses) == 0, "redis.addresses", "do not go with url or url_file")
	v.check(r.Mode == RedisSingle, "redis.mode", "needs addresses instead of url or url_file, unless it is single")
	v.check(r.Database == 0, "redis.database", "does not go with url or url_file, which ends with it")

	if r.URL == "" {
		v.check(r.Username == "" && r.Password == "" && r.PasswordFile == "", "redis.url_file",
			"has the user and the password, so username, password and password_file do not go with it")

		return
	}

	u, ok := parseRedisURL(r.URL)
	if !ok {
		v.check(false, "redis.url", "is not redis://host:port or rediss://host:port")
		return
	}

	_, secret := u.User.Password()
	v.check(!secret || r.Password == "" && r.PasswordFile == "", "redis.url",
		"has a password, so password and password_file do not go with it")
	v.check(u.User.Username() == "" || r.Username == "", "redis.url", "has a user, so username does not go with it")
	v.check(u.Scheme == "rediss" || !r.TLS.On(), "redis.url", "must begin with rediss:// for the settings of redis.tls")
}

// parseRedisURL reads a URL, and reports whether it is one of Redis.
func parseRedisURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Host == "" {
		return nil, false
	}

	return u, u.Port() == "" || isUpstreamAddress(u.Host)
}

func (v *validation) redisAddresses(r Redis) {
	seen := map[string]bool{}

	for i, address := range r.Addresses {
		path := fmt.Sprintf("redis.addresses[%d]", i)
		v.check(isUpstreamAddress(address) && !strings.HasPrefix(address, "unix:"), path,
			fmt.Sprintf("%q is not host:port, such as redis.internal:6379", address))
		v.check(!seen[address], path, "is set twice")

		seen[address] = true
	}
}

// redisMode checks that the settings are those of the mode.
func (v *validation) redisMode(r Redis) {
	v.check(r.Mode != RedisSingle || len(r.Addresses) <= 1, "redis.addresses",
		"must be one in mode single; for more, set mode to sentinel or cluster")
	v.check(r.Database >= 0, "redis.database", "must not be negative")
	v.check(r.Mode != RedisCluster || r.Database == 0, "redis.database", "must be 0 in mode cluster, which has no others")

	if r.Mode == RedisSentinel {
		v.check(r.MasterName != "", "redis.master_name", "is needed in mode sentinel")
		return
	}

	v.check(r.MasterName == "", "redis.master_name", "needs mode sentinel")
	v.check(r.SentinelUsername == "", "redis.sentinel_username", "needs mode sentinel")
	v.check(r.SentinelPassword == "", "redis.sentinel_password", "needs mode sentinel")
	v.check(r.SentinelPasswordFile == "", "redis.sentinel_password_file", "needs mode sentinel")
}

func (v *validation) redisSecrets(r Redis) {
	v.check(r.Password == "" || r.PasswordFile == "", "redis.password_file", "does not go with password")
	v.check(r.SentinelPassword == "" || r.SentinelPasswordFile == "", "redis.sentinel_password_file",
		"does not go with sentinel_password")
	v.check(r.Username == "" || r.URLFile != "" || r.Password != "" || r.PasswordFile != "", "redis.username",
		"needs password or password_file")
	v.check(r.SentinelUsername == "" || r.SentinelPassword != "" || r.SentinelPasswordFile != "", "redis.sentinel_username",
		"needs sentinel_password or sentinel_password_file")
}
