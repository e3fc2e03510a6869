package limit

import (
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

// PerClient limits each client address in this gateway, before anything else is known of a request. It is coarse: the fields
// about what is left are those of the client's route, and PerClient writes its own only on a refusal. Clients whose address is not
// known share a bucket. A rate of no requests adds no layer.
func (l *Limiter) PerClient(cfg config.Rate) func(http.Handler) http.Handler {
	if cfg.Requests <= 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	rate := Rate{Requests: cfg.Requests, Per: cfg.Per, Burst: cfg.Burst}
	clientLimit := limit{id: "edge", title: "client", by: porticov1.RateLimitKey_RATE_LIMIT_KEY_CLIENT_ADDRESS, rate: rate, cost: 1}
	policies := []string{policiesOf([]limit{clientLimit})}

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			request := clientLimit.request(reqinfo.From(r.Context()))

			v := verdict{Decision: l.clients.Allow(request, time.Now()), title: clientLimit.title}
			if v.Allowed {
				next.ServeHTTP(w, r)

				return
			}

			writeFields(w.Header(), policies, v)
			refuse(w, r, v)
		})
	}
}

// Route enforces the limits that the policy of a route sets; name is its RPC. Every limit of every route has buckets of its own,
// unless it bears a name, and all limits of a route must allow a request. Every response of the route says what is left
// with the limit that has least left. No limits add no layer.
//
// It belongs after the caller is known: a principal is an issuer's subject, and an anonymous caller is its address.
func (l *Limiter) Route(name string, limits []*porticov1.RateLimit) func(http.Handler) http.Handler {
	if len(limits) == 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	g := newGuard(l, routeLimits(name, limits))

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			v, err := g.check(r)
			if err != nil {
				problem.Write(w, r, unavailable(), fmt.Errorf("check rate limits of %s: %w", name, err))

				return
			}

			writeFields(w.Header(), g.policies, v)

			if !v.Allowed {
				refuse(w, r, v)

				return
			}

			next.ServeHTTP(w, r)
		})
	}
}

// verdict is the most restrictive decision on a request, and whose it is.
type verdict struct {
	Decision

	title string
}

// stricter reports whether v says more about what the client may do next than other.
func (v verdict) stricter(other verdict) bool {
	if v.Allowed != other.Allowed {
		return !v.Allowed
	}

	if v.Remaining != other.Remaining {
		return v.Remaining < other.Remaining
	}

	return v.RetryAfter > other.RetryAfter
}

// guard checks requests against the limits of a route.
type guard struct {
	limiter *Limiter
	limits  []limit
	// policies are the field of all answers, which share it.
	policies []string
	// closed reports that one of the limits allows nothing while the store fails.
	closed bool
}

func newGuard(limiter *Limiter, limits []limit) guard {
	return guard{
		limiter: limiter, limits: limits, policies: []string{policiesOf(limits)},
		closed: slices.ContainsFunc(limits, func(l limit) bool { return l.closed }),
	}
}

func (l limit) request(rec *reqinfo.Record) Request {
	return Request{Key: KeyOf(l.id, l.by, rec), Rate: l.rate, Cost: l.cost}
}

func (g guard) check(r *http.Request) (verdict, error) {
	var (
		requestsRoom  [inlineCapacity]Request
		decisionsRoom [inlineCapacity]Decision
	)

	rec := reqinfo.From(r.Context())
	requests, room := requestsRoom[:0], decisionsRoom[:0]

	for _, l := range g.limits {
		requests, room = append(requests, l.request(rec)), append(room, Decision{})
	}

	decisions, err := g.limiter.take(r.Context(), room, requests, g.closed)
	if err != nil {
		return verdict{}, err
	}

	worst := verdict{Decision: Decision{Allowed: true, Remaining: math.MaxInt64}}

	for i, decision := range decisions {
		if v := (verdict{Decision: decision, title: g.limits[i].title}); v.stricter(worst) {
			worst = v
		}
	}

	return worst, nil
}

func refuse(w http.ResponseWriter, r *http.Request, v verdict) {
	p := problem.Newf(codes.ResourceExhausted, "the rate limit %q is reached", v.title)
	p.RetryAfter = v.RetryAfter
	problem.Write(w, r, p, nil)
}

// outageRetry is a guess at when the store will be back.
const outageRetry = time.Second

// unavailable is the answer when nothing is known and the policy wants no more than it allows.
func unavailable() *problem.Problem {
	p := problem.New(codes.Unavailable, "whether a rate limit is reached cannot be told at the moment")
	p.RetryAfter = outageRetry

	return p
}
