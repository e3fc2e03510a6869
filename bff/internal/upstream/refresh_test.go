package upstream

import (
	"errors"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/resolver"
)

// lookups records when a name is looked up, and how often a resolver that did it was closed.
type lookups struct {
	resolver.ClientConn

	mu     sync.Mutex
	start  time.Time
	times  []time.Duration
	closed int
	// result is what a lookup ends with.
	result func() error
	errs   []error
}

func (l *lookups) build(cc resolver.ClientConn) (resolver.Resolver, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	l.times = append(l.times, time.Since(l.start))

	// gRPC's asks elsewhere, and reports what it found on a goroutine of its own.
	ended := make(chan struct{})
	go func() {
		defer close(ended)

		if err := l.result(); err != nil {
			cc.ReportError(err)
		} else {
			_ = cc.UpdateState(resolver.State{})
		}
	}()

	return closing{func() {
		<-ended
		l.mu.Lock()
		l.closed++
		l.mu.Unlock()
	}}, nil
}

func (l *lookups) UpdateState(resolver.State) error { return nil }

func (l *lookups) ReportError(err error) { l.errs = append(l.errs, err) }

// since returns the times of the lookups since the last call.
func (l *lookups) since() []time.Duration {
	synctest.Wait()

	l.mu.Lock()
	defer l.mu.Unlock()

	times := l.times
	l.times = nil

	return times
}

type closing struct{ close func() }

func (closing) ResolveNow(resolver.ResolveNowOptions) {}
func (c closing) Close()                              { c.close() }

// refreshing runs a test with a resolver that resolves at an interval.
func refreshing(t *testing.T, interval time.Duration, result func() error, test func(l *lookups, r resolver.Resolver)) {
	t.Helper()

	synctest.Test(t, func(t *testing.T) {
		l := &lookups{start: time.Now(), result: result}

		r, err := newRefreshed(interval, l, l.build)
		if err != nil {
			t.Fatal(err)
		}

		test(l, r)

		made := len(l.since())
		r.Close()
		time.Sleep(2 * interval)

		if got := l.since(); len(got) != 0 {
			t.Errorf("after %d lookups and its end it looked up the name at %v", made, got)
		}
	})
}

func found() error { return nil }

// An interval below gRPC's minimum of 30 seconds had no effect once.
func TestNameIsLookedUpAtTheInterval(t *testing.T) {
	t.Parallel()

	for _, interval := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			refreshing(t, interval, found, func(l *lookups, _ resolver.Resolver) {
				time.Sleep(20*interval + 1)

				times := l.since()
				for i := 1; i < len(times); i++ {
					if gap := times[i] - times[i-1]; gap > interval || gap < interval*8/10 {
						t.Errorf("lookup %d came %s after the one before", i, gap)
					}
				}

				if len(times) < 21 || l.closed != len(times) {
					t.Errorf("%d lookups, %d were ended", len(times), l.closed)
				}
			})
		})
	}
}

// Once, the pauses between lookups only grew if the interval was no longer than the longest of them.
func TestNameIsLookedUpAtOnceWhenAnAddressFails(t *testing.T) {
	t.Parallel()

	// A lookup at the interval may have been just before.
	for interval, most := range map[time.Duration]time.Duration{
		2 * time.Second: minLookupGap, maxLookupGap: minLookupGap, time.Hour: 0,
	} {
		t.Run(interval.String(), func(t *testing.T) {
			t.Parallel()
			refreshing(t, interval, found, func(l *lookups, r resolver.Resolver) {
				for range 10 {
					// The failures before may have led to three lookups.
					time.Sleep(2*maxLookupGap + time.Second)
					l.since()

					at := time.Since(l.start)

					// The other addresses fail as well.
					for range 10 {
						r.ResolveNow(resolver.ResolveNowOptions{})
						synctest.Wait()
					}

					time.Sleep(most)

					if got := l.since(); len(got) == 0 || got[0] < at || got[0] > at+most {
						t.Errorf("the name was looked up at %v, want %v", got, at)
					}
				}
			})
		})
	}
}

func TestLookupsGetRarerWhileAddressesFail(t *testing.T) {
	t.Parallel()

	refreshing(t, time.Hour, found, func(l *lookups, r resolver.Resolver) {
		time.Sleep(time.Minute)
		l.since()

		began := time.Since(l.start)

		for time.Since(l.start) < began+time.Minute {
			r.ResolveNow(resolver.ResolveNowOptions{})
			time.Sleep(10 * time.Millisecond)
		}

		times := l.since()
		if want := []float64{0, 250, 750, 1750, 3750, 7750, 12750}; !startsAt(times, began, want) {
			t.Errorf("since the first failure the name was looked up at %v, want %v ms", times, want)
		}

		if len(times) > 20 {
			t.Errorf("%d lookups in a minute", len(times))
		}
	})
}

// startsAt reports whether the first times are these milliseconds after a time, up to the polling of the test.
func startsAt(times []time.Duration, began time.Duration, want []float64) bool {
	for i, ms := range want {
		if i >= len(times) || math.Abs((times[i]-began).Seconds()*1000-ms) > 100 {
			return false
		}
	}

	return true
}

// A dead address that DNS still lists is connected to every two seconds, and each time gRPC asks for a lookup.
func TestAddressThatStaysDownDoesNotHammerDNS(t *testing.T) {
	t.Parallel()

	refreshing(t, 30*time.Second, found, func(l *lookups, r resolver.Resolver) {
		for range 300 {
			time.Sleep(maxBackoff * 12 / 10)
			r.ResolveNow(resolver.ResolveNowOptions{})
		}

		if got := len(l.since()); got > 150 {
			t.Errorf("%d lookups in twelve minutes", got)
		}
	})
}

func TestFailedLookupIsRepeated(t *testing.T) {
	t.Parallel()

	fault := errors.New("SERVFAIL")
	failures := 4

	refreshing(t, time.Minute, func() error {
		if failures--; failures >= 0 {
			return fault
		}

		return nil
	}, func(l *lookups, _ resolver.Resolver) {
		time.Sleep(30 * time.Second)

		if got := l.since(); !startsAt(got, 0, []float64{0, 250, 750, 1750, 3750}) || len(got) != 5 {
			t.Errorf("the name was looked up at %v", got)
		}

		if len(l.errs) != 4 || !errors.Is(l.errs[0], fault) {
			t.Errorf("reported %v", l.errs)
		}
	})
}

func TestCloseEndsALookup(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(*testing.T) {
		stop := make(chan struct{})
		l := &lookups{start: time.Now()}

		r, err := newRefreshed(time.Second, l, func(resolver.ClientConn) (resolver.Resolver, error) {
			return closing{func() { close(stop) }}, nil
		})
		if err != nil {
			t.Fatal(err)
		}

		r.Close()
		<-stop
	})
}

// gRPC's resolver reports a lookup that is interrupted as one that found nothing, which was once logged as a fault of the name.
func TestLookupThatIsInterruptedHasNoResult(t *testing.T) {
	t.Parallel()

	synctest.Test(t, func(t *testing.T) {
		cc := &results{}

		r, err := newRefreshed(time.Second, cc, func(cc resolver.ClientConn) (resolver.Resolver, error) {
			return closing{func() {
				_ = cc.UpdateState(resolver.State{})
				cc.ReportError(errors.New("interrupted"))
			}}, nil
		})
		if err != nil {
			t.Fatal(err)
		}

		r.Close()

		if len(cc.list) > 0 {
			t.Errorf("got %q", cc.list)
		}
	})
}

func TestTargetThatCannotBeResolvedIsRefused(t *testing.T) {
	t.Parallel()

	fault := errors.New("the target ends with a colon")

	_, err := newRefreshed(time.Second, &lookups{}, func(resolver.ClientConn) (resolver.Resolver, error) { return nil, fault })
	if !errors.Is(err, fault) {
		t.Errorf("got %v", err)
	}
}
