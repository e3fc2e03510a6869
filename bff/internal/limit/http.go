package limit

import (
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

// PerClient limits each client address, before anything else is known of a request. It is a coarse fence: the fields that tell a
// client where it stands are those of its route, and PerClient writes its own only on a refusal. Clients whose address is
// not known share a bucket. A rate of no requests adds no layer.
func (l *Limiter) PerClient(rate Rate) func(http.Handler) http.Handler {
	if rate.Requests <= 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	g := guard{limiter: l, limits: []limit{{id: "edge", title: "client", by: policy.KeyClientAddress, rate: rate}}}
	policies := g.policies()

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			verdict := g.check(reqinfo.From(r.Context()), time.Now())
			if verdict.Allowed {
				next.ServeHTTP(w, r)

				return
			}

			writeFields(w.Header(), policies, verdict)
			refuse(w, r, verdict)
		})
	}
}

// Route enforces the limits that the policy of a route sets; name is its RPC. Every limit of every route has buckets of its own,
// and all limits of a route must allow a request. Every answer of the route tells how it stands with the limit that has least left.
// No limits add no layer.
//
// It belongs after the caller is known: a principal is an issuer's subject, and an anonymous caller is its address.
func (l *Limiter) Route(name string, limits []policy.RateLimit) func(http.Handler) http.Handler {
	if len(limits) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	g := guard{limiter: l, limits: routeLimits(name, limits)}
	policies := g.policies()

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			verdict := g.check(reqinfo.From(r.Context()), time.Now())
			writeFields(w.Header(), policies, verdict)

			if !verdict.Allowed {
				refuse(w, r, verdict)

				return
			}

			next.ServeHTTP(w, r)
		})
	}
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

		out = append(out, limit{id: fmt.Sprintf("%s#%d", name, i), title: title, by: l.Key, rate: rateOf(l)})
	}

	return out
}

// limit is one of the limits that a guard checks.
type limit struct {
	id    string // Apart from all others of the Limiter.
	title string // For clients.
	by    policy.Key
	rate  Rate
}

func (l limit) key(rec *reqinfo.Record) Key {
	key := Key{Limit: l.id}

	switch {
	case l.by == policy.KeyGlobal:
	case l.by == policy.KeyPrincipal && !rec.Principal.Anonymous():
		key.Issuer, key.Subject = rec.Principal.Issuer, rec.Principal.Subject
	default:
		key.Client = network(rec.Client)
	}

	return key
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

// verdict is the most restrictive decision on a request, and whose it is.
type verdict struct {
	Decision

	title string
}

// tighter tells whether v says more about what the client may do next than other.
func (v verdict) tighter(other verdict) bool {
	if v.Allowed != other.Allowed {
		return !v.Allowed
	}

	if v.Remaining != other.Remaining {
		return v.Remaining < other.Remaining
	}

	return v.RetryAfter > other.RetryAfter
}

// guard checks requests against limits that must all allow them.
type guard struct {
	limiter *Limiter
	limits  []limit
}

// check takes a token for each limit. If one has none, the others get theirs back; for that instant they are a token short, which
// can refuse a request too many but never allow one.
func (g guard) check(rec *reqinfo.Record, now time.Time) verdict {
	const usual = 4 // Limits of a route; more of them cost an allocation.

	worst := verdict{Decision: Decision{Allowed: true, Remaining: math.MaxInt64}}
	taken := make([]int, 0, usual)

	for i, l := range g.limits {
		v := verdict{Decision: g.limiter.Allow(l.key(rec), l.rate, now), title: l.title}
		if v.Allowed {
			taken = append(taken, i)
		}

		if v.tighter(worst) {
			worst = v
		}
	}

	if !worst.Allowed {
		for _, i := range taken {
			g.limiter.refund(g.limits[i].key(rec), g.limits[i].rate)
		}
	}

	return worst
}

func refuse(w http.ResponseWriter, r *http.Request, v verdict) {
	p := problem.Newf(codes.ResourceExhausted, "the rate limit %q is reached", v.title)
	p.RetryAfter = v.RetryAfter
	problem.Write(w, r, p, nil)
}
