package composite

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Each calls the function for every item of a list, for at most limit of them at a time, and returns when all calls have
// returned. The first error ends the context of the others, starts no more of them, and is what Each returns; a panic is an
// error. A limit of zero or less is none.
//
// The function gets the index of its item, so that it can write what it fetches to an element of a slice of its own.
func Each[T any](ctx context.Context, items []T, limit int, call func(ctx context.Context, i int, item T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	if limit > 0 {
		group.SetLimit(limit)
	}

	for i, item := range items {
		group.Go(func() error {
			return contained(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}

				return call(ctx, i, item)
			})
		})
	}

	return group.Wait()
}
