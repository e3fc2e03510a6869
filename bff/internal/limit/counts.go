package limit

import porticov1 "github.com/portico-gateway/portico/gen/portico/v1"

// counts count the decisions of a limit by the kind of key, which is the index. The zero value counts nothing.
type counts []count

type count struct{ allowed, refused func() }

// countsOf returns the counts of a limit, for each kind of key that KeyOf may choose for it. A nil Limiter, of a gateway that is
// only explained, counts nothing.
func (l *Limiter) countsOf(rpc string, of limit) counts {
	if l == nil || l.Observe == nil {
		return nil
	}

	c := make(counts, len(porticov1.RateLimitKey_name))

	for _, by := range kindsOf(of.by) {
		c[by].allowed, c[by].refused = l.Observe(rpc, of.name, titles()[by])
	}

	return c
}

// kindsOf are the kinds of key that callers may have in a limit by this one: see KeyOf.
func kindsOf(by porticov1.RateLimitKey) []porticov1.RateLimitKey {
	const (
		principal = porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL
		client    = porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS
	)

	switch by {
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, client:
		return []porticov1.RateLimitKey{by}
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY, porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT:
		return []porticov1.RateLimitKey{by, principal, client}
	default:
		return []porticov1.RateLimitKey{principal, client}
	}
}

// add counts a decision. Nothing is taken from a limit that would allow a request, if another one refuses it.
func (c counts) add(by porticov1.RateLimitKey, allowed, allAllowed bool) {
	switch {
	case c == nil:
	case !allowed:
		c[by].refused()
	case allAllowed:
		c[by].allowed()
	}
}
