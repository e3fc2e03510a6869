package auth

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// schedule runs a source in virtual time, whose fetches end as told, and returns when they were, in seconds.
func schedule(t *testing.T, interval, life time.Duration, fetch func(count int) (keySet, time.Duration, error)) []int {
	t.Helper()

	var at []int

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begin := time.Now()
		source := newKeySource(func(context.Context) (keySet, time.Duration, error) {
			at = append(at, int(time.Since(begin).Seconds()))

			return fetch(len(at))
		}, interval, slog.New(slog.DiscardHandler))

		go source.run(ctx)

		time.Sleep(life)
		cancel()
		<-source.ended
	})

	return at
}

func oneKey(t *testing.T) keySet {
	t.Helper()

	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}

	return keySet{{id: "a", public: public, algs: []string{algEdDSA}}}
}

func TestWhenKeysAreFetched(t *testing.T) {
	t.Parallel()

	set := oneKey(t)

	for name, row := range map[string]struct {
		holds time.Duration
		err   error
		want  []int // Within 5 minutes, with an interval of 2.
	}{
		"not_said":                {0, nil, []int{0, 120, 240}},
		"longer_than_interval":    {time.Hour, nil, []int{0, 120, 240}},
		"ahead_of_its_end":        {100 * time.Second, nil, []int{0, 90, 180, 270}},
		"not_without_cease":       {time.Second, nil, []int{0, 30, 60, 90, 120, 150, 180, 210, 240, 270}},
		"soon_again_if_it_failed": {0, errors.New("down"), nil},
	} {
		got := schedule(t, 2*time.Minute, 299*time.Second, func(int) (keySet, time.Duration, error) { return set, row.holds, row.err })

		if row.err != nil {
			if len(got) != 33 || !slices.Equal(got[:7], []int{0, 1, 3, 7, 15, 25, 35}) {
				t.Errorf("%s: fetches at %v, want soon at first, then one each 10s", name, got)
			}

			continue
		}

		if len(got) != len(row.want) {
			t.Errorf("%s: fetched at %d, want %d", name, got, row.want)

			continue
		}

		for i := range got {
			if got[i] != row.want[i] {
				t.Errorf("%s: fetched at %d, want %d", name, got, row.want)
			}
		}
	}
}

// However long the issuer is down, the keys stay, and with them what was found out with them.
func TestKeysAreServedStale(t *testing.T) {
	t.Parallel()

	set := oneKey(t)

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())

		var down atomic.Bool

		source := newKeySource(func(context.Context) (keySet, time.Duration, error) {
			if down.Load() {
				return nil, 0, errors.New("down")
			}

			return set, 0, nil
		}, time.Minute, slog.New(slog.DiscardHandler))

		go source.run(ctx)
		synctest.Wait()

		generation := source.generation.Load()
		down.Store(true)

		time.Sleep(24 * time.Hour)
		synctest.Wait()

		if !source.current().has("a") || source.generation.Load() != generation {
			t.Errorf("keys %v, generation %d after %d", source.current(), source.generation.Load(), generation)
		}

		down.Store(false)

		time.Sleep(time.Minute)
		synctest.Wait()

		if source.generation.Load() != generation {
			t.Error("the same keys are a new generation")
		}

		cancel()
		<-source.ended
	})
}

// Five thousand unknown key ids in half a minute cause one fetch, whatever the interval of the background is.
func TestHazard22UnknownKeysCauseOneFetchPerInterval(t *testing.T) {
	t.Parallel()

	set := oneKey(t)

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())

		var fetches atomic.Int64

		source := newKeySource(func(context.Context) (keySet, time.Duration, error) {
			fetches.Add(1)

			return set, 0, nil
		}, 5*time.Minute, slog.New(slog.DiscardHandler))

		go source.run(ctx)
		synctest.Wait()

		for range 5000 {
			source.renewed(ctx, "unknown")
			time.Sleep(6 * time.Millisecond)
		}

		if fetches.Load() != 2 {
			t.Errorf("%d fetches, want the first and one more", fetches.Load())
		}

		cancel()
		<-source.ended
	})
}

// Once, a token was refused whose key was published after a fetch had begun: it waited for that one alone.
func TestKeyPublishedDuringAFetch(t *testing.T) {
	t.Parallel()

	before, after := oneKey(t), oneKey(t)
	after[0].id = "b"

	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())

		var published atomic.Pointer[keySet]

		published.Store(&before)

		source := newKeySource(func(context.Context) (keySet, time.Duration, error) {
			set := *published.Load()

			time.Sleep(500 * time.Millisecond)

			return set, 0, nil
		}, time.Minute, slog.New(slog.DiscardHandler))

		go source.run(ctx)

		time.Sleep(time.Minute + 750*time.Millisecond) // The second fetch is under way.
		published.Store(&after)

		if set, current := source.renewed(ctx, "b"); !set.has("b") || !current {
			t.Errorf("got %v, current: %t", set, current)
		}

		cancel()
		<-source.ended
	})
}
