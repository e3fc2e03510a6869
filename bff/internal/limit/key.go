package limit

import (
	"fmt"
	"net/netip"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// Key names a bucket. Two keys that are equal share it.
type Key struct {
	// Limit is the limit that the bucket belongs to.
	Limit string
	// Issuer, Subject and Tenant are the principal that it belongs to, if it does; Subject alone is the id of an API key, or a
	// tenant.
	Issuer, Subject, Tenant string
	// By is whose it is.
	By policy.Key
	// Client is the address that it belongs to, if it does. It has no zone.
	Client netip.Addr
}

// limit is one of the limits of a route.
type limit struct {
	id     string // Apart from all others of the Limiter.
	title  string // For clients.
	by     policy.Key
	rate   Rate
	cost   int64
	closed bool
}

// routeLimits names the limits by their keys; the second of the same key is "principal-2".
func routeLimits(name string, limits []policy.RateLimit) []limit {
	out := make([]limit, 0, len(limits))
	seen := map[policy.Key]int{}

	for i, l := range limits {
		title := l.Key.String()
		if seen[l.Key]++; seen[l.Key] > 1 {
			title = fmt.Sprintf("%s-%d", title, seen[l.Key])
		}

		// The name of an RPC begins with a slash.
		id := fmt.Sprintf("%s#%d", name, i)
		if l.Name != "" {
			id = "name:" + l.Name
		}

		out = append(out, limit{
			id: id, title: title, by: l.Key, rate: rateOf(l), cost: max(l.Cost, 1), closed: l.ClosedOnOutage,
		})
	}

	return out
}

// key is the bucket of whoever calls. A caller without what the limit tells callers apart by is told apart by what it has.
func (l limit) key(rec *reqinfo.Record) Key {
	switch {
	case l.by == policy.KeyGlobal:
		return Key{Limit: l.id, By: policy.KeyGlobal}
	case l.by == policy.KeyAPIKey && rec.APIKey != "":
		return Key{Limit: l.id, By: policy.KeyAPIKey, Subject: rec.APIKey}
	case l.by == policy.KeyTenant && rec.Principal.Tenant != "":
		return Key{Limit: l.id, By: policy.KeyTenant, Subject: rec.Principal.Tenant}
	case l.by != policy.KeyClientAddress && !rec.Principal.Anonymous():
		p := rec.Principal

		return Key{Limit: l.id, By: policy.KeyPrincipal, Issuer: p.Issuer, Subject: p.Subject, Tenant: p.Tenant}
	default:
		return Key{Limit: l.id, By: policy.KeyClientAddress, Client: network(rec.Client)}
	}
}

// network is what stands for a client: its IPv4 address, or the /64 network of its IPv6 address, of which whoever has one address
// has all (RFC 6177).
func network(addr netip.Addr) netip.Addr {
	const subnet = 64

	addr = addr.Unmap().WithZone("")
	if !addr.Is6() {
		return addr
	}

	// A length that is in range cannot fail.
	prefix, _ := addr.Prefix(subnet)

	return prefix.Addr()
}
