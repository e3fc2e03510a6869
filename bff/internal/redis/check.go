package redis

import (
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
)

// Check refuses what Open does, without making a client.
func Check(cfg config.Redis) error {
	if cfg.URL == "" {
		return nil
	}

	if _, err := goredis.ParseURL(cfg.URL); err != nil {
		return fmt.Errorf("redis URL: %w", redacted(err))
	}

	return nil
}
