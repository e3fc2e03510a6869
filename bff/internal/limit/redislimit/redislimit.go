// Package redislimit stores the buckets of rate limits in a Redis, so that many gateways count as one. It decides as limit.Memory
// does, by the clock of Redis: those of the gateways do not matter. Times are in microseconds; intervals are rounded up, so that a
// limit of some hundred thousand requests a second allows a few percent less.
//
// In a Redis Cluster the buckets of a request are on several nodes: each decides for itself, and what is taken from some is given
// back if others refuse. Meanwhile a request that is tried at the same time may be refused by what is given back.
//
// It does not know what to do without Redis; limit.Limiter does.
package redislimit

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/internal/digest"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/redis"
)

//go:embed take.lua
var takeSource string

// Store is a limit.Store. A decision on all limits of a request is one script, in one round trip. In a Cluster it is one script for
// each limit, at the same time, and another round trip if some of them allow the request and some refuse.
type Store struct {
	client *redis.Client
	take   *redis.Script
	day    time.Duration
}

// New returns a Store in the Redis of the client, which it does not close.
func New(client *redis.Client) *Store {
	return &Store{client: client, take: redis.NewScript("limit", takeSource), day: limit.Day}
}

// The script gets so many arguments for each request, and returns so many results.
const (
	argsEach    = 3
	resultsEach = 4
)

// Take implements limit.Store.
func (s *Store) Take(ctx context.Context, requests []limit.Request) ([]limit.Decision, error) {
	if len(requests) > 1 && s.client.IsCluster() {
		return s.takeEach(ctx, requests)
	}

	keys := make([]string, 0, len(requests))
	args := make([]any, 0, 1+argsEach*len(requests))
	args = append(args, s.day.Microseconds())

	for _, r := range requests {
		keys = append(keys, s.key(r))
		args = append(args, interval(r.Rate), r.Rate.Size(), r.Cost)
	}

	return parse(requests, s.client.Run(ctx, s.take, keys, args...))
}

func (s *Store) key(r limit.Request) string { return s.client.Key("limit:" + hash(r.Key)) }

// parse returns the decisions that the script has replied.
func parse(requests []limit.Request, reply *goredis.Cmd) ([]limit.Decision, error) {
	results, err := reply.Int64Slice()
	if err != nil {
		return nil, fmt.Errorf("take from %d limits in redis: %w", len(requests), err)
	}

	if len(results) != resultsEach*len(requests) {
		return nil, fmt.Errorf("take from %d limits in redis: %d results", len(requests), len(results))
	}

	decisions := make([]limit.Decision, 0, len(requests))

	for i, r := range requests {
		result := results[resultsEach*i:]
		decisions = append(decisions, limit.Decision{
			Allowed: result[0] == 1, Limit: r.Rate.Size(), Remaining: result[1],
			ResetAfter: micros(result[2]), RetryAfter: micros(result[3]),
		})
	}

	return decisions, nil
}

// interval is the rate for the script; zero means a daily quota.
func interval(rate limit.Rate) int64 {
	if rate.Daily {
		return 0
	}

	return rate.Interval(time.Microsecond)
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// hash is the key as Redis gets it, which does not show the caller.
func hash(key limit.Key) string {
	const inlineCapacity = 256 // Bytes. More cost an allocation.

	d := make(digest.Buffer, 0, inlineCapacity).Int(int(key.By)).Texts(key.Limit, key.Issuer, key.Subject, key.Tenant)

	// An address has 4 or 16 bytes, or none.
	return append(d, key.Client.AsSlice()...).Hash()
}
