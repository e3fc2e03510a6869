// Package inflight bounds the requests that are in flight on all routes together. What is too much is refused at once; nothing
// waits in a queue.
//
// How often a caller may call is decided by package limit, and how much a backend can take by package upstream.
package inflight

import (
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// Config is how much may be under way at a time. Zero: any number.
type Config struct {
	// MaxInFlight bounds requests with a single answer.
	MaxInFlight int
	// MaxStreams bounds streams, in either direction. They are counted apart: most of them are idle for most of their time.
	MaxStreams int
}

// Gate counts what is under way on all routes together. It is safe for concurrent use and takes no lock.
type Gate struct {
	requests, streams places
}

// New returns an empty gate.
func New(c Config) *Gate {
	return &Gate{requests: places{most: int64(c.MaxInFlight)}, streams: places{most: int64(c.MaxStreams)}}
}

// InFlight is what is under way now.
func (g *Gate) InFlight() (requests, streams int64) {
	return g.requests.taken.Load(), g.streams.taken.Load()
}

// Shares of the places in percent. What is left to each priority is kept from the lower ones, so that a flood of those leaves room.
const (
	shareLow    = 80
	shareNormal = 95
	percent     = 100
)

// retryAfter is when the client should come again: the requests that are under way are over by then, as a rule.
const retryAfter = time.Second

// Route lets requests of a route in as long as there are places for its priority, and refuses the others with a 503. It belongs
// outside of all that costs something. No bound adds no layer.
func (g *Gate) Route(priority policy.Priority, stream bool) func(http.Handler) http.Handler {
	places := &g.requests
	if stream {
		places = &g.streams
	}

	if places.most <= 0 {
		return func(next http.Handler) http.Handler { return next }
	}

	most := share(places.most, priority)

	full := problem.New(codes.Unavailable, "the gateway has too much to do at the moment")
	full.RetryAfter = retryAfter

	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !places.take(most) {
				problem.Write(w, r, full, nil)

				return
			}
			defer places.give()

			next.ServeHTTP(w, r)
		})
	}
}

// share is how many of the places a priority may take, at least one.
func share(places int64, priority policy.Priority) int64 {
	switch {
	case priority >= policy.PriorityCritical:
		return places
	case priority == policy.PriorityNormal:
		return max(1, places*shareNormal/percent)
	default:
		return max(1, places*shareLow/percent)
	}
}

// places are taken and given back.
type places struct {
	most  int64
	taken atomic.Int64
}

// take takes a place unless most are taken. It never takes one only to give it back, since others could be refused meanwhile.
func (p *places) take(most int64) bool {
	for {
		taken := p.taken.Load()
		if taken >= most {
			return false
		}

		if p.taken.CompareAndSwap(taken, taken+1) {
			return true
		}
	}
}

func (p *places) give() { p.taken.Add(-1) }
