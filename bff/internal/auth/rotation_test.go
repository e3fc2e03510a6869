package auth

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The keys of tokens that their issuer has just sent are fetched soon, also if the fetch of the interval was used up by others.
func TestKeysOfIssuedTokens(t *testing.T) {
	t.Parallel()

	before, after := oneKey(t), oneKey(t)
	after[0].id = "b"

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		issued := justIssued(ctx)

		var (
			published atomic.Pointer[keySet]
			fetches   atomic.Int64
		)

		published.Store(&before)

		source := newKeySource(func(context.Context) (keySet, time.Duration, error) {
			fetches.Add(1)

			return *published.Load(), 0, nil
		}, 5*time.Minute, slog.New(slog.DiscardHandler))

		go source.run(ctx)
		synctest.Wait()

		source.renewed(ctx, "invented")
		published.Store(&after)

		if set, current := source.renewed(ctx, "b"); set.has("b") || !current {
			t.Errorf("a bearer token: got %v, current: %t", set, current)
		}

		if set, current := source.renewed(issued, "b"); set.has("b") || current {
			t.Errorf("just after another fetch: got %v, current: %t", set, current)
		}

		time.Sleep(issuedInterval)

		if set, current := source.renewed(issued, "b"); !set.has("b") || !current {
			t.Errorf("later: got %v, current: %t", set, current)
		}

		time.Sleep(issuedInterval)

		if set, current := source.renewed(issued, "c"); set.has("c") || !current {
			t.Errorf("a key that is not published: got %v, current: %t", set, current)
		}

		if fetches.Load() != 4 {
			t.Errorf("%d fetches", fetches.Load())
		}

		cancel()
		<-source.ended
	})
}
