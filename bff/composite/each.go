package composite

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/portico-gateway/portico/bff/internal/upstream/inproc/scope"
)

// Each calls the function for every item of a list, each on a goroutine of its own and at most limit of them at a time, and returns
// when all calls have returned. With a limit of zero or less, all are made at the same time.
//
// The first error ends the context of the other calls, no more are started, and it is what Each returns: a *PanicError if a call
// panicked, ErrExited if it did not return, or that of ctx if it ended before all were started.
//
// The function gets the index of its item, so that it can write what it fetches to an element of a slice that no other call writes
// to. A call that waits to be made for several items (portico.v1.Batch) does not count in the limit meanwhile.
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

		goroutine := new(scope.Goroutine)
		fork.Start(goroutine)

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
