package bff

import (
	"errors"
	"fmt"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/cache/rediscache"
	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/idempotency/redisidempotency"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/redislimit"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/redis"
)

// stores are what a gateway remembers from one request to the next: by itself, or together with others in Redis.
type stores struct {
	limiter     *limit.Limiter
	cache       *cache.Cache
	idempotency *idempotency.Keeper
	// close ends what they do in the background. Calls that go on behind the cache end with it.
	close func() error
}

func (g *Gateway) openStores(metrics *observe.Metrics) (*stores, error) {
	if g.config.Redis.On() {
		return g.openShared(metrics)
	}

	memory, err := cache.NewMemory(g.config.Cache.MaxBytes)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}

	s := &stores{
		limiter:     limit.New(g.config.Limits.MaxKeys),
		cache:       cache.New(memory, cacheObserver(metrics)),
		idempotency: idempotency.New(idempotency.NewMemory(g.config.Idempotency.MaxBytes)),
	}
	s.close = func() error {
		s.cache.Close()
		s.idempotency.Close()

		return nil
	}

	return s, nil
}

func (g *Gateway) openShared(metrics *observe.Metrics) (*stores, error) {
	cfg := g.config.Redis

	opening := redis.Config{URL: cfg.URL, Timeout: cfg.Timeout, Prefix: cfg.Prefix}

	client, err := redis.OpenObserved(opening, redis.Observer{
		Logger:  g.options.logger,
		State:   func(_, to redis.State) { metrics.ObserveRedis(int(to)) },
		Failure: metrics.ObserveRedisFailure,
	})
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}

	kept := rediscache.New(client)

	s := &stores{
		limiter:     limit.NewShared(g.config.Limits.MaxKeys, redislimit.New(client), func(error) { metrics.ObserveLimitOutage() }),
		cache:       cache.New(kept, cacheObserver(metrics)),
		idempotency: idempotency.New(redisidempotency.New(client)),
	}
	s.close = func() error {
		s.cache.Close()
		s.idempotency.Close()

		return errors.Join(kept.Close(), client.Close())
	}

	return s, nil
}

func cacheObserver(metrics *observe.Metrics) func(rpc string, event cache.Event) {
	return func(rpc string, event cache.Event) { metrics.ObserveCache(rpc, string(event)) }
}
