package redislimit

import (
	"context"
	"slices"

	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/redis"
)

// takeEach takes from each bucket by a script of its own, and gives back what was taken if one of them refuses. After an error it
// may have taken from some.
func (s *Store) takeEach(ctx context.Context, requests []limit.Request) ([]limit.Decision, error) {
	decisions, err := s.runEach(ctx, requests)
	if err != nil {
		return nil, err
	}

	var (
		taken []limit.Request
		of    []int
	)

	for i, d := range decisions {
		if d.Allowed {
			back := requests[i]
			back.Cost = -back.Cost
			taken, of = append(taken, back), append(of, i)
		}
	}

	if len(taken) == 0 || len(taken) == len(requests) {
		return decisions, nil
	}

	// A client that disconnects must not keep it.
	returned, err := s.runEach(context.WithoutCancel(ctx), taken)
	if err != nil {
		return nil, err
	}

	for i, d := range returned {
		decisions[of[i]] = d
	}

	return decisions, nil
}

func (s *Store) runEach(ctx context.Context, requests []limit.Request) ([]limit.Decision, error) {
	calls := make([]redis.Call, 0, len(requests))
	for _, r := range requests {
		calls = append(calls, redis.Call{
			Keys: []string{s.key(r)}, Args: []any{s.day.Microseconds(), interval(r.Rate), r.Rate.Size(), r.Cost},
		})
	}

	decisions := make([]limit.Decision, 0, len(requests))

	for i, reply := range s.client.RunEach(ctx, s.take, calls) {
		decided, err := parse(requests[i:i+1], reply)
		if err != nil {
			return nil, err
		}

		decisions = slices.Concat(decisions, decided)
	}

	return decisions, nil
}
