package bff

import (
	"fmt"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/cache/rediscache"
	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/idempotency/redisidempotency"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/redislimit"
	"github.com/portico-gateway/portico/bff/internal/redis"
)

// stores are what a gateway remembers from one request to the next: by itself, or together with others in Redis.
type stores struct {
	limiter     *limit.Limiter
	cache       *cache.Cache
	idempotency *idempotency.Deduplicator
}

func (c *Compiled) openStores(with opening) (*stores, error) {
	observer := func(rpc string, event cache.Event) { with.metrics.ObserveCache(rpc, string(event)) }

	if c.config.Redis.On() {
		return c.openShared(with, observer)
	}

	memory, err := cache.NewMemory(c.config.Cache.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}

	limiter := limit.New(c.config.Limits.MaxKeys)
	limiter.LegacyHeaders = c.config.Limits.LegacyHeaders

	return &stores{
		limiter:     limiter,
		cache:       cache.New(memory, observer),
		idempotency: idempotency.New(idempotency.NewMemory(c.config.Idempotency.MaxBytes)),
	}, nil
}

func (c *Compiled) openShared(with opening, observer func(rpc string, event cache.Event)) (*stores, error) {
	client, err := redis.Open(redis.Config{Redis: c.config.Redis}, redis.Observer{
		Logger:  with.logger,
		State:   func(to redis.State) { with.metrics.ObserveRedis(int(to)) },
		Failure: with.metrics.ObserveRedisFailure,
	})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}

	with.life.atEnd(client.Close)

	kept := rediscache.New(client)
	with.life.atEnd(kept.Close)

	outage := func(error) { with.metrics.ObserveLimitOutage() }

	limiter := limit.NewShared(c.config.Limits.MaxKeys, redislimit.New(client), outage)
	limiter.LegacyHeaders = c.config.Limits.LegacyHeaders

	return &stores{
		limiter:     limiter,
		cache:       cache.New(kept, observer),
		idempotency: idempotency.New(redisidempotency.New(client)),
	}, nil
}
