package limit

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// PerClient limits each client address in this gateway, before anything else is known of a request. It writes the RateLimit fields
// only on a refusal: otherwise those of the route matter more. Clients whose address is not known share a bucket. A rate of no
// requests adds no layer.
func (l *Limiter) PerClient(cfg config.Rate) func(http.Handler) http.Handler {
	if cfg.Requests <= 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	rate := Rate{Requests: cfg.Requests, Per: cfg.Per, Burst: cfg.Burst}
	clientLimit := limit{
		id: "edge", title: "client", name: "limits.client",
		by: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, rate: rate, cost: 1,
	}
	clientLimit.counts = l.countsOf("", clientLimit)
	policies := []string{policiesOf([]limit{clientLimit})}

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			request := clientLimit.request(reqinfo.From(r.Context()))

			d := namedDecision{Decision: l.clients.Allow(request, time.Now), title: clientLimit.title, name: clientLimit.name}
			clientLimit.counts.add(request.Key.By, d.Allowed, d.Allowed)

			if d.Allowed {
				next.ServeHTTP(w, r)
				return
			}

			l.writeFields(w.Header(), policies, d)
			refuse(w, r, d)
		})
	}
}

// Route enforces the limits of the policy of a route; name is its RPC. Every limit of every route has buckets of its own, unless it
// has a name, and all limits of a route must allow a request. Every response of the route has the fields of the strictest limit. No
// limits add no layer.
//
// It belongs after the caller is known: a principal is an issuer's subject, and an anonymous caller is its address.
func (l *Limiter) Route(name string, limits []*porticov1.RateLimit) func(http.Handler) http.Handler {
	if len(limits) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	enforced := newRouteLimiter(l, name, routeLimits(name, limits))

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			d, err := enforced.check(r.Context())
			if err != nil {
				problem.Write(w, r, unavailable(), fmt.Errorf(checkFailed, name, err))
				return
			}

			l.writeFields(w.Header(), enforced.policies, d)

			if !d.Allowed {
				refuse(w, r, d)
				return
			}

			next.ServeHTTP(w, r)
		})
	}
}

type namedDecision struct {
	Decision

	title, name string
}

// stricter reports whether d restricts the client more than other.
func (d namedDecision) stricter(other namedDecision) bool {
	if d.Allowed != other.Allowed {
		return !d.Allowed
	}

	if d.Remaining != other.Remaining {
		return d.Remaining < other.Remaining
	}

	return d.RetryAfter > other.RetryAfter
}

type routeLimiter struct {
	limiter *Limiter
	limits  []limit
	// policies is the RateLimit-Policy field, which all responses share.
	policies []string
	// closed reports that one of the limits refuses all requests while the store fails.
	closed bool
}

func newRouteLimiter(limiter *Limiter, rpc string, limits []limit) routeLimiter {
	for i := range limits {
		limits[i].counts = limiter.countsOf(rpc, limits[i])
	}

	return routeLimiter{
		limiter: limiter, limits: limits, policies: []string{policiesOf(limits)},
		closed: slices.ContainsFunc(limits, func(l limit) bool { return l.closed }),
	}
}

func (l limit) request(rec *reqinfo.Record) Request {
	return Request{Key: KeyOf(l.id, l.by, rec), Rate: l.rate, Cost: l.cost}
}

func (l routeLimiter) check(ctx context.Context) (namedDecision, error) {
	var (
		inlineRequests  [inlineCapacity]Request
		inlineDecisions [inlineCapacity]Decision
	)

	rec := reqinfo.From(ctx)
	requests, buffer := inlineRequests[:0], inlineDecisions[:0]

	for _, each := range l.limits {
		requests, buffer = append(requests, each.request(rec)), append(buffer, Decision{})
	}

	decisions, err := l.limiter.take(ctx, buffer, requests, l.closed)
	if err != nil {
		return namedDecision{}, err
	}

	strictest := namedDecision{Decision: Decision{Allowed: true, Remaining: math.MaxInt64}}

	for i, decision := range decisions {
		if d := (namedDecision{Decision: decision, title: l.limits[i].title, name: l.limits[i].name}); d.stricter(strictest) {
			strictest = d
		}
	}

	for i, decision := range decisions {
		l.limits[i].counts.add(requests[i].Key.By, decision.Allowed, strictest.Allowed)
	}

	return strictest, nil
}

func refuse(w http.ResponseWriter, r *http.Request, d namedDecision) {
	problem.Write(w, r, reached(d), nil)
}

// reached is the problem of a request that a limit refuses.
func reached(d namedDecision) *problem.Problem {
	p := problem.Newf(codes.ResourceExhausted, "the rate limit %q is reached", d.title).BecauseOfLimit(d.name)
	p.RetryAfter = d.RetryAfter

	return p
}

// outageRetry is a guess at when the store will be available again.
const outageRetry = time.Second

// unavailable is the response while the store fails, if a limit is closed on outage.
func unavailable() *problem.Problem {
	p := problem.New(codes.Unavailable, "the gateway cannot tell at the moment whether a rate limit is reached").
		Because(reqinfo.ReasonRateLimitStore)
	p.RetryAfter = outageRetry

	return p
}
