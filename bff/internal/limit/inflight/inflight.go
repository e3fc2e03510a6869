// Package inflight bounds the requests that are in flight on all routes together. Requests over the bound are refused at once;
// nothing is queued.
//
// Package limit decides how often a caller may call, and package upstream how many calls a backend can handle.
package inflight

import (
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Gate counts what is in flight on all routes together: requests with a single response, and apart from them streams in either
// direction, most of which are idle for most of their time. It is safe for concurrent use and takes no lock.
type Gate struct {
	requests, streams       *slots
	maxRequests, maxStreams int64

	routes *counts
	// count is that of the route of Named. Nil: it is not counted apart.
	count *atomic.Int64
}

// New returns an empty gate. A bound of zero is none.
func New(c config.Overload) *Gate {
	return (&Gate{requests: &slots{}, streams: &slots{}, routes: &counts{}}).With(c)
}

// With returns a gate that counts together with g, with other bounds.
func (g *Gate) With(c config.Overload) *Gate {
	return &Gate{
		requests: g.requests, streams: g.streams, maxRequests: int64(c.MaxInFlight), maxStreams: int64(c.MaxStreams),
		routes: g.routes,
	}
}

// InFlight is what is in flight now.
func (g *Gate) InFlight() (requests, streams int64) {
	return g.requests.taken.Load(), g.streams.taken.Load()
}

// Refused is how many were refused.
func (g *Gate) Refused() (requests, streams int64) {
	return g.requests.refused.Load(), g.streams.refused.Load()
}

// Shares of the slots in percent. Lower priorities may take fewer, so that a flood of them leaves room for the higher ones.
const (
	shareLow    = 80
	shareNormal = 95
	percent     = 100
)

// retryAfter is when the client should try again: the requests in flight are usually over by then.
const retryAfter = time.Second

// Route admits requests of a route as long as there are slots for its priority, and refuses the others with a 503. It belongs
// outside of everything expensive. Without a bound it adds no layer.
func (g *Gate) Route(priority porticov1.Priority, stream bool) func(http.Handler) http.Handler {
	slots, limit, reason := g.requests, g.maxRequests, reqinfo.ReasonMaxInFlight
	if stream {
		slots, limit, reason = g.streams, g.maxStreams, reqinfo.ReasonMaxStreams
	}

	if limit <= 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	limit = share(limit, priority)

	full := problem.New(codes.Unavailable, "the gateway is overloaded at the moment").Because(reason)
	full.RetryAfter = retryAfter

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !slots.acquire(limit) {
				slots.refused.Add(1)
				problem.Write(w, r, full, nil)
				return
			}
			defer slots.release()

			if g.count != nil {
				g.count.Add(1)
				defer g.count.Add(-1)
			}

			next.ServeHTTP(w, r)
		})
	}
}

// share is how many of the slots a priority may take, at least one.
func share(slots int64, priority porticov1.Priority) int64 {
	switch {
	case priority >= porticov1.Priority_PRIORITY_CRITICAL:
		return slots
	case priority == porticov1.Priority_PRIORITY_NORMAL || priority == porticov1.Priority_PRIORITY_UNSPECIFIED:
		return max(1, slots*shareNormal/percent)
	default:
		return max(1, slots*shareLow/percent)
	}
}

type slots struct {
	taken atomic.Int64

	refused atomic.Int64
}

// acquire takes a slot unless limit are taken. It never takes one only to release it, since others could be refused meanwhile.
func (s *slots) acquire(limit int64) bool {
	for {
		taken := s.taken.Load()
		if taken >= limit {
			return false
		}

		if s.taken.CompareAndSwap(taken, taken+1) {
			return true
		}
	}
}

func (s *slots) release() { s.taken.Add(-1) }
