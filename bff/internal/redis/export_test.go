package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// EachPrimary sends a command to each server that writes.
func (c *Client) EachPrimary(ctx context.Context, command ...any) error {
	return c.eachPrimary(ctx, func(ctx context.Context, server goredis.Cmdable) error {
		pipe := server.Pipeline()
		pipe.Do(ctx, command...)
		_, err := pipe.Exec(ctx)

		return err
	})
}
