package bff

import (
	"context"
	"fmt"

	"github.com/portico-gateway/portico/bff/internal/auth/session"
	"github.com/portico-gateway/portico/bff/internal/auth/session/redissession"
	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/cache/rediscache"
	"github.com/portico-gateway/portico/bff/internal/digest"
	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/idempotency/redisidempotency"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/redislimit"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/resource"
)

// stores are what a gateway remembers from one request to the next: by itself, or together with others in Redis.
type stores struct {
	limiter     *limit.Limiter
	cache       *cache.Cache
	idempotency *idempotency.Deduplicator
	sessions    session.Store
	// redis is the state of Redis. Nil: there is none.
	redis redisState
}

// close ends what they do in the background.
func (s *stores) close() {
	s.cache.Close()
	s.idempotency.Close()
}

// representationLength is that of a text which identifies how responses look like. A longer one costs each request to hash it.
const representationLength = 8

// openStores opens them, or takes those that there are: their content outlives a generation, unless it is in another Redis. hold
// adds a user to the generation.
func (c *Compiled) openStores(ctx context.Context, with opening, hold func() (release func())) (*stores, error) {
	open := c.openMemory
	if c.config.Redis.On() {
		open = c.openShared
	}

	opened, err := open(ctx, with)
	if err != nil {
		return nil, err
	}

	opened.limiter.Observe = with.metrics.RateLimit
	opened.cache = opened.cache.With(cache.View{
		// What a response looks like, beside what the schema and the request say.
		Representation: digest.Buffer{}.Texts(resource.Key(c.config.JSON, c.config.Headers.Response)).Hash()[:representationLength],
		Hold:           hold,
	})

	return opened, nil
}

// buckets are the limits of this gateway alone, which are used while there is no Redis as well.
func (c *Compiled) buckets(with opening) (*limit.Limiter, error) {
	buckets, err := resource.Take(with.shared, "rate limits", "", func(*resource.Lease) (*limit.Limiter, error) {
		return limit.New(c.config.Limits.MaxKeys), nil
	})
	if err != nil {
		return nil, err
	}

	with.shared.AtCommit(func() { buckets.Resize(c.config.Limits.MaxKeys) })

	return buckets, nil
}

func (c *Compiled) openMemory(_ context.Context, with opening) (*stores, error) {
	buckets, err := c.buckets(with)
	if err != nil {
		return nil, err
	}

	responses, err := resource.Take(with.shared, "cache", "", func(own *resource.Lease) (memory[*cache.Cache], error) {
		store, err := cache.NewMemory(c.config.Cache.MaxBytes)
		if err != nil {
			return memory[*cache.Cache]{}, fmt.Errorf("cache: %w", err)
		}

		return memory[*cache.Cache]{newCache(own, with, store), store.Resize}, nil
	})
	if err != nil {
		return nil, err
	}

	requests, err := resource.Take(with.shared, "idempotency", "",
		func(own *resource.Lease) (memory[*idempotency.Deduplicator], error) {
			store := idempotency.NewMemory(c.config.Idempotency.MaxBytes)

			return memory[*idempotency.Deduplicator]{newDeduplicator(own, with, store), store.Resize}, nil
		})
	if err != nil {
		return nil, err
	}

	sessions, err := resource.Take(with.shared, "sessions", "", func(*resource.Lease) (*session.Memory, error) {
		return session.NewMemory(c.config.Auth.Sessions.MaxSessions)
	})
	if err != nil {
		return nil, err
	}

	with.shared.AtCommit(func() {
		sessions.Resize(c.config.Auth.Sessions.MaxSessions)
		responses.resize(c.config.Cache.MaxBytes)
		requests.resize(c.config.Idempotency.MaxBytes)
	})

	return &stores{
		limiter: buckets.With(nil, nil, c.config.Limits.LegacyHeaders),
		cache:   responses.user, idempotency: requests.user, sessions: sessions,
	}, nil
}

// memory is what uses a memory, and how that is resized.
type memory[T any] struct {
	user   T
	resize func(maxBytes int64)
}

func newCache(own *resource.Lease, with opening, store cache.Store) *cache.Cache {
	made := cache.New(store, func(rpc string, event cache.Event) { with.metrics.ObserveCache(rpc, string(event)) })
	own.AtEnd(closer(made.Close))

	return made
}

func newDeduplicator(own *resource.Lease, with opening, store idempotency.Store) *idempotency.Deduplicator {
	made := idempotency.New(store)
	made.Observe = func(rpc string, outcome idempotency.Outcome) { with.metrics.ObserveIdempotency(rpc, string(outcome)) }
	own.AtEnd(closer(made.Close))

	return made
}

// openShared opens the stores in Redis. Another Redis has others.
func (c *Compiled) openShared(ctx context.Context, with opening) (*stores, error) {
	buckets, err := c.buckets(with)
	if err != nil {
		return nil, err
	}

	opened, err := resource.Take(with.shared, "redis", resource.Key(c.config.Redis),
		func(own *resource.Lease) (inRedis, error) { return c.openInRedis(ctx, own, with) })
	if err != nil {
		return nil, err
	}

	outage := func(error) { with.metrics.ObserveLimitOutage() }

	return &stores{
		limiter: buckets.With(opened.limits, outage, c.config.Limits.LegacyHeaders),
		cache:   opened.cache, idempotency: opened.idempotency, sessions: opened.sessions, redis: opened.state,
	}, nil
}

// inRedis are the stores in one Redis.
type inRedis struct {
	limits      *redislimit.Store
	cache       *cache.Cache
	idempotency *idempotency.Deduplicator
	sessions    session.Store
	// state is as that of the stores.
	state redisState
}

// redisState is what readiness asks of a redis.Client.
type redisState interface {
	Trouble() []string
	State() redis.State
	Evicts() string
}

func (c *Compiled) openInRedis(ctx context.Context, own *resource.Lease, with opening) (inRedis, error) {
	client, err := c.openRedis(ctx, own, with)
	if err != nil {
		return inRedis{}, err
	}

	kept := rediscache.New(client)
	own.AtEnd(kept.Close)

	return inRedis{
		limits: redislimit.New(client), cache: newCache(own, with, kept),
		idempotency: newDeduplicator(own, with, redisidempotency.New(client)),
		sessions:    redissession.New(client),
		state:       client,
	}, nil
}
