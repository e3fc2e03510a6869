package policy

import (
	"fmt"
	"math"
	"time"

	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

const day = 24 * time.Hour

// RateLimit is a token bucket, or a daily quota.
type RateLimit struct {
	// Requests come back per Per.
	Requests int64
	Per      time.Duration
	// Burst is how many may come at once.
	Burst int64
	Key   Key
	// Cost is how many tokens a request takes.
	Cost int64
	// Name is what limits have in common that share buckets. Empty: the limit has its own.
	Name string
	// Daily makes it a quota of Requests from midnight to midnight, UTC. Per is a day then, and Burst is Requests.
	Daily bool
	// ClosedOnOutage refuses requests while the shared store does not answer.
	ClosedOnOutage bool
}

// Key says who shares a bucket.
type Key int

// The keys of portico.v1.RateLimitKey.
const (
	KeyPrincipal Key = iota
	KeyClientAddress
	KeyGlobal
	KeyAPIKey
	KeyTenant
)

// String names the key as the table of routes prints it.
func (k Key) String() string {
	switch k {
	case KeyPrincipal:
		return "principal"
	case KeyClientAddress:
		return "client"
	case KeyGlobal:
		return "global"
	case KeyAPIKey:
		return "api-key"
	case KeyTenant:
		return "tenant"
	default:
		return "unknown"
	}
}

// String prints the limit as the table of routes does: "50/1s burst 100 per principal".
func (l RateLimit) String() string {
	if l.Daily {
		return fmt.Sprintf("%d/day per %s", l.Requests, l.Key)
	}

	return fmt.Sprintf("%d/%s burst %d per %s", l.Requests, l.Per, l.Burst, l.Key)
}

func (c *compiler) rateLimit(where string, in *porticov1.RateLimit) RateLimit {
	l := RateLimit{
		Requests: in.GetRequests(), Per: time.Second, Burst: in.GetBurst(), Cost: max(in.GetCost(), 1), Name: in.GetName(),
		Daily: in.GetDaily(), ClosedOnOutage: in.GetClosedOnOutage(), Key: c.rateLimitKey(where, in.GetKey()),
	}

	switch {
	case l.Daily && (in.GetPer() != nil || l.Burst != 0):
		c.faultf(where, "a daily quota has no per and no burst")
	case l.Daily:
		l.Per = day
	case in.GetPer() != nil:
		l.Per = c.duration(where+".per", in.GetPer())
	}

	if l.Burst == 0 {
		l.Burst = l.Requests
	}

	if l.Requests < 1 || l.Requests > math.MaxInt32 {
		c.faultf(where+".requests", "%d is not between 1 and %d", l.Requests, math.MaxInt32)
	}

	if l.Burst < 1 || l.Burst > math.MaxInt32 {
		c.faultf(where+".burst", "%d is not between 1 and %d", l.Burst, math.MaxInt32)
	}

	if in.GetCost() < 0 || l.Cost > max(l.Burst, 1) {
		c.faultf(where+".cost", "%d is not between 1 and the burst, %d", in.GetCost(), l.Burst)
	}

	return l
}

func (c *compiler) rateLimitKey(where string, in porticov1.RateLimitKey) Key {
	switch in {
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_UNSPECIFIED, porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL:
		return KeyPrincipal
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS:
		return KeyClientAddress
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL:
		return KeyGlobal
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_API_KEY:
		return KeyAPIKey
	case porticov1.RateLimitKey_RATE_LIMIT_KEY_TENANT:
		return KeyTenant
	default:
		c.faultf(where+".key", "%d is unknown to this gateway", in)

		return KeyPrincipal
	}
}
