package config

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"
)

func (v *validation) upstreams(c Config) {
	for _, name := range slices.Sorted(maps.Keys(c.Upstreams)) {
		u, path := c.Upstreams[name], "upstreams."+name
		v.check(len(u.Addresses) > 0 || u.Target != "", path, "needs either addresses or target, and has none")
		v.check(len(u.Addresses) == 0 || u.Target == "", path, "needs either addresses or target, and has both")
		v.addresses(path, u.Addresses, c)
		v.target(path+".target", u.Target)
		v.check(u.Authority == "" || isAuthority(u.Authority), path+".authority",
			fmt.Sprintf("%q is not host or host:port", u.Authority))
		v.check(u.TLS.ServerName == "" || isHost(u.TLS.ServerName), path+".tls.server_name",
			fmt.Sprintf("%q is not a host name or an IP address", u.TLS.ServerName))
		v.certificateAndKey(path+".tls", u.TLS.CertFile, u.TLS.KeyFile)
		v.traffic(path, u)
	}
}

// addresses checks those of an upstream. None may be there twice, or be one of the gateway itself.
func (v *validation) addresses(path string, addresses []string, c Config) {
	own := map[string]string{
		serverAddress: c.Server.Address, "admin.address": c.Admin.Address, "health.address": c.Health.Address,
	}

	for i, address := range addresses {
		at := fmt.Sprintf("%s.addresses[%d]", path, i)
		v.check(isUpstreamAddress(address), at, addressFault(address))

		first := slices.IndexFunc(addresses, func(other string) bool { return strings.EqualFold(other, address) })
		v.check(first == i, at, fmt.Sprintf("%q is there already, as addresses[%d]", address, first))

		for _, setting := range slices.Sorted(maps.Keys(own)) {
			v.check(!reaches(address, own[setting]), at, fmt.Sprintf("%q is the gateway itself: %s", address, setting))
		}
	}
}

// addressFault says what is wrong with an address that is none, and what to do.
func addressFault(address string) string {
	fault := fmt.Sprintf("%q is neither host:port, with a port from 1 to 65535, nor unix:path", address)

	scheme, rest, hasScheme := strings.Cut(address, "://")

	switch {
	case !hasScheme && isHost(address):
		return fault + "; it has no port"
	case slices.Contains(schemes(), scheme):
		return fault + "; a target is set as target"
	case hasScheme && isUpstreamAddress(strings.TrimSuffix(rest, "/")):
		return fault + fmt.Sprintf("; write %q", strings.TrimSuffix(rest, "/"))
	default:
		return fault
	}
}

// reaches reports whether a connection to an address is one to a listener of this machine, as far as the addresses say.
func reaches(address, listener string) bool {
	if at, err := ParseListenAddress("", listener); err == nil && at.Socket != "" {
		path, ok := strings.CutPrefix(address, unixScheme)

		return ok && strings.TrimPrefix(path, "//") == at.Socket
	}

	to, ok := parseListener(address)
	at, both := parseListener(listener)

	if to.host == "" {
		to.host = "localhost"
	}

	if at.everywhere() && to.address() == "127.0.0.1" {
		at.host = to.host
	}

	return ok && both && at.port != 0 && to.same(at)
}

// schemes are those of targets that every gateway knows. A program may have others; package upstream knows whether it does.
func schemes() []string { return []string{schemeDNS, "passthrough", "unix", "unix-abstract", "xds"} }

// target checks a gRPC name of one of these schemes, which is scheme:[//authority/]endpoint, or an endpoint for DNS (gRPC Name
// Resolution).
func (v *validation) target(path, target string) {
	scheme, endpoint, ok := strings.Cut(target, ":")
	if !ok || !slices.Contains(schemes(), scheme) {
		scheme, endpoint = schemeDNS, target

		if strings.Contains(target, "://") || target == "" {
			return
		}
	}

	if rest, hasAuthority := strings.CutPrefix(endpoint, "//"); hasAuthority {
		_, endpoint, ok = strings.Cut(rest, "/")
		v.check(ok, path, fmt.Sprintf("%q has no name: write %s:///%s", target, scheme, rest))

		if !ok {
			return
		}
	}

	endpoint = strings.TrimPrefix(endpoint, "/")

	switch scheme {
	case schemeDNS:
		v.check(isAuthority(endpoint) || isUpstreamAddress(endpoint), path,
			fmt.Sprintf("%q is not a DNS name, such as dns:///user.prod.svc:9000, with a port from 1 to 65535", target))
	case "passthrough":
		v.check(isUpstreamAddress(endpoint), path,
			fmt.Sprintf("%q is not passthrough:///host:port, with a port from 1 to 65535", target))
	default:
		v.check(endpoint != "", path, fmt.Sprintf("%q has no name after %s:", target, scheme))
	}
}

func (v *validation) traffic(path string, u Upstream) {
	v.positive(path+".", reflect.ValueOf(u))
	v.least(path+".refresh_interval", u.RefreshInterval, time.Second)
	v.least(path+".probe.interval", u.Probe.Interval, minInterval)
	v.least(path+".probe.timeout", u.Probe.Timeout, minRoundTrip)
	v.least(path+".ejection.time", u.Ejection.Time, minRoundTrip)
	v.least(path+".breaker.window", u.Breaker.Window, minInterval)
	v.least(path+".breaker.open_for", u.Breaker.OpenFor, minRoundTrip)
	v.least(path+".breaker.slow_after", u.Breaker.SlowAfter, minWait)
	v.oneOf(path+".balancing", u.Balancing, RoundRobin, LeastRequest, WeightedRoundRobin, RingHash)
	v.ratio(path+".breaker.failure_ratio", u.Breaker.FailureRatio)
	v.ratio(path+".breaker.slow_ratio", u.Breaker.SlowRatio)
	v.ratio(path+".ejection.max_ratio", u.Ejection.MaxRatio)
	v.check(u.MaxReceiveBytes <= math.MaxInt32, path+".max_receive_bytes", "must be below 2 GiB")
	v.check(u.Breaker.SlowAfter >= 0, path+".breaker.slow_after", "must not be negative")
	v.check(u.Concurrency.Min <= u.Concurrency.Initial && u.Concurrency.Initial <= u.Concurrency.Max,
		path+".concurrency", "needs min <= initial <= max")
}

func (v *validation) ratio(path string, value float64) {
	v.check(value > 0 && value <= 1, path, "must be over 0, up to 1")
}
