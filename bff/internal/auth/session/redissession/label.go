package redissession

import (
	"context"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/internal/auth/session"
)

// batch is how many sessions a pipeline deletes.
const batch = 100

// DeleteAll implements session.Store. A session that Create stores at the same time is either found here, or finds that they were
// ended.
func (s *Store) DeleteAll(ctx context.Context, label string) (int, error) {
	keys, err := s.client.Run(ctx, s.endAll, s.labelKeys(label), session.EndedLife.Milliseconds()).StringSlice()
	if err != nil {
		return 0, fmt.Errorf("redis: %w", err)
	}

	return s.remove(ctx, label, keys)
}

// remove deletes sessions and takes their label. Those that cannot be deleted keep it.
func (s *Store) remove(ctx context.Context, label string, keys []string) (deleted int, failed error) {
	for some := range slices.Chunk(keys, batch) {
		results := s.each(ctx, some, goredis.Pipeliner.Del)
		gone := make([]any, 0, len(some))

		for i, result := range results {
			if err := result.Err(); err != nil {
				failed = fmt.Errorf("redis: %w", err)
				continue
			}

			deleted += int(result.Val())
			gone = append(gone, some[i])
		}

		if len(gone) == 0 {
			continue
		}

		if err := s.client.ZRem(ctx, s.labelKeys(label)[0], gone...).Err(); err != nil {
			failed = fmt.Errorf("redis: %w", err)
		}
	}

	return deleted, failed
}

// trim takes the label of a user from the sessions that have ended, and deletes the oldest if there are too many.
func (s *Store) trim(ctx context.Context, label string) error {
	keys, err := s.client.ZRange(ctx, s.labelKeys(label)[0], 0, -1).Result()
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}

	var ended, live []string

	for i, result := range s.each(ctx, keys, goredis.Pipeliner.Exists) {
		switch {
		case result.Err() != nil:
			return fmt.Errorf("redis: %w", result.Err())
		case result.Val() == 0:
			ended = append(ended, keys[i])
		default:
			live = append(live, keys[i])
		}
	}

	oldest := live[:max(0, len(live)-session.PerSubject)]
	_, err = s.remove(ctx, label, slices.Concat(ended, oldest))

	return err
}

// each runs a command for sessions in one pipeline. Each result has its error.
func (s *Store) each(
	ctx context.Context, keys []string, command func(goredis.Pipeliner, context.Context, ...string) *goredis.IntCmd,
) []*goredis.IntCmd {
	pipe := s.client.Pipeline()
	results := make([]*goredis.IntCmd, len(keys))

	for i, key := range keys {
		results[i] = command(pipe, ctx, s.sessionKey(key)...)
	}

	_, _ = pipe.Exec(ctx) // It is the error of one of them.

	return results
}
