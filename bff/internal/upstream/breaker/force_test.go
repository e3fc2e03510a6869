package breaker_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

func TestForcedOpen(t *testing.T) {
	t.Parallel()

	b := breaker.New("order", settings, nil)
	b.Force(breaker.Open)
	want(t, b, breaker.Open)

	if _, err := b.Allow(); !errors.Is(err, breaker.ErrOpen) {
		t.Errorf("a call: %v", err)
	}

	if _, err := b.AllowStream(); !errors.Is(err, breaker.ErrOpen) || !b.Forced() || b.Closed() {
		t.Errorf("a stream: %v, forced %t, closed %t", err, b.Forced(), b.Closed())
	}

	b.Release()
	want(t, b, breaker.Closed)
	call(t, b, nil)
}

// However long it is, and however many calls fail.
func TestForcedStateIsHeld(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		for _, state := range []breaker.State{breaker.Open, breaker.Closed} {
			b := opened(t)
			b.Force(state)
			time.Sleep(time.Hour)
			want(t, b, state)

			if state == breaker.Closed {
				call(t, b, unavailable, unavailable, unavailable, unavailable, unavailable)
				want(t, b, state)
			}
		}
	})
}

func TestReleaseResets(t *testing.T) {
	t.Parallel()

	for name, before := range map[string]func(*breaker.Breaker){
		"one_that_opened_by_itself": func(*breaker.Breaker) {},
		"forced_closed":             func(b *breaker.Breaker) { b.Force(breaker.Closed) },
		"forced_open":               func(b *breaker.Breaker) { b.Force(breaker.Open) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			b := opened(t)
			before(b)
			b.Release()
			want(t, b, breaker.Closed)

			if b.Forced() || !b.Closed() {
				t.Error("it is held still")
			}

			call(t, b, unavailable, unavailable, unavailable)
			want(t, b, breaker.Closed)
			call(t, b, unavailable)
			want(t, b, breaker.Open)
		})
	}
}

// Calls that were in flight then say nothing of what was reset.
func TestResultsOfEarlierCallsAreIgnored(t *testing.T) {
	t.Parallel()

	b := breaker.New("order", settings, nil)

	var ends []func(error)

	for range settings.MinRequests {
		done, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}

		ends = append(ends, done)
	}

	b.Release()

	for _, end := range ends {
		end(unavailable)
	}

	want(t, b, breaker.Closed)

	if !b.Closed() {
		t.Error("it is not closed")
	}
}

func TestForcedChangesAreReported(t *testing.T) {
	t.Parallel()

	var got []string

	b := breaker.New("order", settings, func(from, to breaker.State) { got = append(got, from.String()+" "+to.String()) })
	b.Force(breaker.Open)
	b.Force(breaker.Open)
	b.Force(breaker.Closed)
	b.Release()
	call(t, b, unavailable, unavailable, unavailable, unavailable)
	b.Release()

	if diff := cmp.Diff([]string{"closed open", "open closed", "closed open", "open closed"}, got); diff != "" {
		t.Error(diff)
	}
}
