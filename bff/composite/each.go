package composite

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// Each calls the function for every item of a list, for at most limit of them at a time, and returns when all calls have
// returned. The first error ends the context of the others, starts no more of them, and is what Each returns; a panic is an
// error. A limit of zero or less is none.
//
// The function gets the index of its item, so that it can write what it fetches to an element of a slice of its own. A function
// that waits for a call that is made for several items (portico.v1.Batch) does not count in the limit meanwhile.
func Each[T any](ctx context.Context, items []T, limit int, call func(ctx context.Context, i int, item T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	current := scope.From(ctx)
	fork, slots := current.Fork(), current.Slots(limit)

	for i, item := range items {
		own, slot, err := slots.Acquire(ctx)
		if err != nil {
			group.Go(func() error { return err })

			break
		}

		goroutine := fork.Go()

		group.Go(func() error {
			goroutine.Begin()

			exited := true

			defer func() {
				slot.Release()

				if exited {
					// errgroup takes the end of a goroutine for success.
					group.Go(func() error { return ErrExited })
				}

				goroutine.End()
			}()

			err := contained(func() error {
				if err := own.Err(); err != nil {
					return err
				}

				return call(own, i, item)
			})
			exited = false

			return err
		})
	}

	return fork.Wait(group.Wait)
}
