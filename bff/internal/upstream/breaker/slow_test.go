package breaker_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/upstream/breaker"
)

// slowSettings are settings with which half of four calls that take more than a second open it, too.
var slowSettings = config.Breaker{
	FailureRatio: 0.5, MinRequests: 4, Window: 10 * time.Second, OpenFor: 2 * time.Second, SlowAfter: time.Second, SlowRatio: 0.5,
}

const (
	fast = 100 * time.Millisecond
	slow = 1100 * time.Millisecond
)

// take makes a call that takes so long.
func take(tb testing.TB, b *breaker.Breaker, took time.Duration, err error) {
	tb.Helper()

	done, refused := b.Allow()
	if refused != nil {
		tb.Fatalf("refused: %v", refused)
	}

	time.Sleep(took)
	done(err)
}

// slowedDown returns a breaker that slow calls have opened, and that would let a probe through.
func slowedDown(tb testing.TB) *breaker.Breaker {
	tb.Helper()

	b := breaker.New("order", slowSettings, nil)
	for range 4 {
		take(tb, b, slow, nil)
	}

	want(tb, b, breaker.Open)
	refused(tb, b)
	time.Sleep(slowSettings.OpenFor + time.Millisecond)
	want(tb, b, breaker.HalfOpen)

	return b
}

func TestOpensAtTheRatioOfSlowCalls(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name  string
		times []time.Duration
		want  breaker.State
	}{
		{"too_few_calls", []time.Duration{slow, slow, slow}, breaker.Closed},
		{"just_the_ratio", []time.Duration{fast, slow, fast, slow}, breaker.Open},
		{"just_below_the_ratio", []time.Duration{fast, fast, fast, slow, slow}, breaker.Closed},
		{"all_fast", []time.Duration{fast, fast, fast, fast, fast}, breaker.Closed},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b := breaker.New("order", slowSettings, nil)
				for _, took := range tt.times {
					take(t, b, took, nil)
				}

				want(t, b, tt.want)
			})
		})
	}
}

// What a call's time says shows by a probe of a breaker that slow calls have opened.
func TestPace(t *testing.T) {
	t.Parallel()

	canceled := status.FromContextError(context.Canceled).Err()

	tests := []struct {
		name string
		took time.Duration
		err  error
		want breaker.State
	}{
		{"fast_is_fast", fast, nil, breaker.Closed},
		{"a_fast_error_is_an_answer", fast, status.Error(codes.NotFound, ""), breaker.Closed},
		{"slow_is_slow", slow, nil, breaker.Open},
		{"a_slow_error_is_slow", slow, status.Error(codes.NotFound, ""), breaker.Open},
		{"given_up_early_says_nothing", fast, canceled, breaker.HalfOpen},
		{"given_up_late_is_slow", slow, canceled, breaker.Open},
		{"hurried_early_says_nothing", fast, breaker.ErrNotCounted, breaker.HalfOpen},
		{"hurried_but_late_is_slow", slow, breaker.ErrNotCounted, breaker.Open},
		{"gone_at_once_is_not_fast", fast, unavailable, breaker.HalfOpen},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			synctest.Test(t, func(t *testing.T) {
				b := slowedDown(t)
				take(t, b, tt.took, tt.err)

				want(t, b, tt.want)
			})
		})
	}
}

func TestNoCallIsSlowUnlessSettingsSay(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := breaker.New("order", settings, nil)
		for range 10 {
			take(t, b, time.Hour, nil)
		}

		want(t, b, breaker.Closed)
	})
}

// Else a refusal because of slowness would hold the probe of the failures, and nobody would be let through any more.
func TestRefusalForSlownessGivesTheOtherProbeBack(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := slowedDown(t)

		probing, err := b.Allow()
		if err != nil {
			t.Fatal(err)
		}

		for range 10 {
			refused(t, b)
		}

		probing(nil)
		want(t, b, breaker.Closed)
		take(t, b, fast, nil)
	})
}

func TestStreamSaysNothingAboutSlowness(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		b := breaker.New("order", slowSettings, nil)

		for range 10 {
			done, err := b.AllowStream()
			if err != nil {
				t.Fatal(err)
			}

			time.Sleep(slow)
			done(nil)
		}

		want(t, b, breaker.Closed)

		b = slowedDown(t)

		// It holds no probe, and makes none fail.
		if _, err := b.AllowStream(); err != nil {
			t.Fatal(err)
		}

		take(t, b, fast, nil)
		want(t, b, breaker.Closed)
	})
}

func TestStreamIsRefusedByAnOpenBreaker(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		for _, prepare := range []func(testing.TB) *breaker.Breaker{opened, slowedDown} {
			open := prepare(t)
			if open.State() == breaker.HalfOpen {
				take(t, open, slow, nil)
			}

			if _, err := open.AllowStream(); !errors.Is(err, breaker.ErrOpen) {
				t.Errorf("got %v, want a refusal", err)
			}

			time.Sleep(slowSettings.OpenFor + time.Millisecond)

			done, err := open.AllowStream()
			if err != nil {
				t.Fatal(err)
			}

			done(unavailable)
		}
	})
}

func TestSeveralProbesMustSucceed(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		s := settings
		s.Probes = 3

		b := breaker.New("order", s, nil)
		call(t, b, unavailable, unavailable, unavailable, unavailable)
		time.Sleep(s.OpenFor + time.Millisecond)

		var probes []func(error)

		for range s.Probes {
			done, err := b.Allow()
			if err != nil {
				t.Fatalf("a probe was refused: %v", err)
			}

			probes = append(probes, done)
		}

		refused(t, b)
		probes[0](nil)
		probes[1](nil)
		want(t, b, breaker.HalfOpen)
		probes[2](nil)
		want(t, b, breaker.Closed)

		call(t, b, unavailable, unavailable, unavailable, unavailable)
		time.Sleep(s.OpenFor + time.Millisecond)
		call(t, b, nil, nil, unavailable)
		want(t, b, breaker.Open)
	})
}

// Both at once are one change of the breaker.
func TestChangesOfBothReasonsAreToldAsOne(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		var told []string

		b := breaker.New("order", slowSettings, func(from, to breaker.State) {
			told = append(told, fmt.Sprintf("%s to %s", from, to))
		})

		for range 4 {
			take(t, b, slow, tooLate)
		}

		time.Sleep(slowSettings.OpenFor + time.Millisecond)
		take(t, b, fast, nil)
		want(t, b, breaker.Closed)

		expected := []string{"closed to open", "open to half-open", "half-open to closed"}
		if diff := cmp.Diff(expected, told); diff != "" {
			t.Error(diff)
		}
	})
}

// A backend is gone for 20 seconds while 100 calls a second arrive.
func TestOutage(t *testing.T) {
	t.Parallel()

	const (
		outage = 20 * time.Second
		pause  = 10 * time.Millisecond
	)

	synctest.Test(t, func(t *testing.T) {
		var opened, closed time.Time

		b := breaker.New("order", slowSettings, func(_, to breaker.State) {
			switch {
			case to == breaker.Open && opened.IsZero():
				opened = time.Now()
			case to == breaker.Closed:
				closed = time.Now()
			}
		})

		start, probes := time.Now(), 0

		for time.Since(start) < outage {
			if done, err := b.Allow(); err == nil {
				if !opened.IsZero() {
					probes++
				}

				done(unavailable)
			}

			time.Sleep(pause)
		}

		if took := opened.Sub(start); opened.IsZero() || took > time.Second {
			t.Errorf("it opened after %s", took)
		}

		if most := int(outage / slowSettings.OpenFor); probes == 0 || probes > most {
			t.Errorf("%d calls came through while it was open, want at most %d probes", probes, most)
		}

		healed := time.Now()

		for closed.IsZero() && time.Since(healed) < time.Minute {
			if done, err := b.Allow(); err == nil {
				done(nil)
			}

			time.Sleep(pause)
		}

		if took := closed.Sub(healed); took > slowSettings.OpenFor+time.Second {
			t.Errorf("it closed %s after the backend had healed", took)
		}
	})
}
