package limit

import (
	"cmp"
	"fmt"
	"net/netip"

	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Key identifies a bucket. Two keys that are equal share it.
type Key struct {
	// Limit is the limit that the bucket belongs to.
	Limit string
	// Issuer, Subject and Tenant are the principal, if it is one's; Subject alone is the id of an API key, or a tenant.
	Issuer, Subject, Tenant string
	// By is what the limit distinguishes callers by.
	By porticov1.RateLimitKey
	// Client is the address of the client, if it is one's. It has no zone.
	Client netip.Addr
}

type limit struct {
	id     string // Different for each limit of the Limiter.
	title  string // For clients.
	name   string // For the log: that of a shared bucket, or the title.
	by     porticov1.RateLimitKey
	rate   Rate
	cost   int64
	closed bool
	counts counts
}

// routeLimits names the limits after their keys; the second of the same key is "principal-2".
func routeLimits(name string, limits []*porticov1.RateLimit) []limit {
	out := make([]limit, 0, len(limits))
	seen := map[porticov1.RateLimitKey]int{}

	for i, l := range limits {
		title := titles()[l.GetKey()]
		if seen[l.GetKey()]++; seen[l.GetKey()] > 1 {
			title = fmt.Sprintf("%s-%d", title, seen[l.GetKey()])
		}

		// The name of an RPC begins with a slash.
		id := fmt.Sprintf("%s#%d", name, i)
		if l.GetName() != "" {
			id = "name:" + l.GetName()
		}

		logged := cmp.Or(l.GetName(), title)

		out = append(out, limit{
			id: id, title: title, name: logged, by: l.GetKey(), rate: rateOf(l), cost: max(l.GetCost(), 1),
			closed: l.GetClosedOnOutage(),
		})
	}

	return out
}

// titles are the names of keys for clients.
func titles() map[porticov1.RateLimitKey]string {
	return map[porticov1.RateLimitKey]string{
		porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL:      "principal",
		porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS: "client",
		porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL:         "global",
		porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY:        "api-key",
		porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT:         "tenant",
	}
}

// KeyOf is the bucket of a caller in a limit. A caller without what the limit distinguishes callers by is identified by what it
// has.
func KeyOf(limit string, by porticov1.RateLimitKey, rec *reqinfo.Record) Key {
	switch {
	case by == porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL:
		return Key{Limit: limit, By: by}
	case by == porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY && rec.APIKey != "":
		return Key{Limit: limit, By: by, Subject: rec.APIKey}
	case by == porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT && rec.Principal.Tenant != "":
		return Key{Limit: limit, By: by, Subject: rec.Principal.Tenant}
	case by != porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS && !rec.Principal.Anonymous():
		p := rec.Principal

		return Key{
			Limit: limit, By: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL,
			Issuer: p.Issuer, Subject: p.Subject, Tenant: p.Tenant,
		}
	default:
		return Key{Limit: limit, By: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, Client: network(rec.Client)}
	}
}

// network identifies a client: its IPv4 address, or the /64 network of its IPv6 address: anyone who has one of its
// addresses has all (RFC 6177).
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
