package bff_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
)

// slots is a backend that works on so many calls at a time; the others wait, in the order in which they came.
func slots(places int, work time.Duration) trouble {
	free := make(chan struct{}, places)

	return func(ctx context.Context, _ string) error {
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
		defer func() { <-free }()

		time.Sleep(work)

		return nil
	}
}

// tally is what became of requests.
type tally struct {
	mu       sync.Mutex
	statuses map[int]int
	// refused is how long refusals took, of which so many did not say when to come back.
	refused []time.Duration
	unsaid  int
}

func (a *tally) add(res answer, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.statuses[res.status]++

	switch {
	case res.status == http.StatusServiceUnavailable && res.header.Get("Retry-After") == "":
		a.unsaid++
	case res.status == http.StatusServiceUnavailable, res.status == http.StatusNotFound:
		a.refused = append(a.refused, took)
	}
}

// percentile of the refusals.
func (a *tally) percentile(percent int) time.Duration {
	if len(a.refused) == 0 {
		return 0
	}

	slices.Sort(a.refused)

	return a.refused[(len(a.refused)-1)*percent/100]
}

// flow sends requests at a rate, whether they are answered or not, and returns when all are. Each kind gets its share.
func flow(t *testing.T, s *site, client *http.Client, perSecond float64, duration time.Duration, kinds ...func(n int) inquiry) []*tally {
	t.Helper()

	tallies := make([]*tally, len(kinds))
	for i := range tallies {
		tallies[i] = &tally{statuses: map[int]int{}}
	}

	var wait sync.WaitGroup

	start, sent := time.Now(), 0

	for tick := time.Tick(4 * time.Millisecond); time.Since(start) < duration; <-tick {
		for ; float64(sent) < perSecond*time.Since(start).Seconds(); sent++ {
			kind, q := sent%len(kinds), kinds[sent%len(kinds)](sent)

			wait.Go(func() {
				begin := time.Now()

				res, err := s.ask(t.Context(), client, q)
				if err != nil {
					t.Error(err)

					return
				}

				tallies[kind].add(res, time.Since(begin))
			})
		}
	}

	wait.Wait()

	return tallies
}

// Offered twice what it can do, a backend does nearly what it can; what is too much is refused at once, and what matters least first.
func TestOverloadedBackendGoesOnWorking(t *testing.T) {
	// Not in parallel: it looks at what can be done in real time.
	const (
		places   = 20
		work     = 50 * time.Millisecond * slowdown
		duration = 6 * time.Second
	)

	s, b := startTroubledSite(t, func(c *config.Config) {
		unlimited(c)
		setPolicy(c, getOrder, object{"priority": "PRIORITY_LOW"})
		setPolicy(c, listOrders, object{"priority": "PRIORITY_CRITICAL"})
	})
	header, client := s.as(t, "alice"), plainClient(t)

	b.becomes(slots(places, work))

	low := func(n int) inquiry { return inquiry{target: fmt.Sprint("/v1/orders/", n), header: header} }
	critical := func(int) inquiry { return inquiry{target: aliceAccount + "/orders", header: header} }
	// What has nothing to do with the backend shows what the machine can do: others may work on it.
	nothing := func(int) inquiry { return inquiry{target: "/v1/nothing", header: header} }

	// What this machine makes of the backend: as many calls as it has places, one after the other.
	begin := time.Now()
	calm := offer(t, s, client, places*20, places, low)
	capacity := float64(calm[http.StatusOK]) / time.Since(begin).Seconds()

	if calm[http.StatusOK] < places*19 {
		t.Fatalf("without an overload: %v", calm)
	}

	begin = time.Now()
	tallies := flow(t, s, client, 3*capacity, duration, low, critical, nothing)
	elapsed := time.Since(begin).Seconds()

	done := tallies[0].statuses[http.StatusOK] + tallies[1].statuses[http.StatusOK]
	goodput := float64(done) / elapsed / capacity

	t.Logf("capacity %.0f/s, goodput %.0f %%, low %v, critical %v", capacity, 100*goodput, tallies[0].statuses, tallies[1].statuses)

	if goodput < 0.8 {
		t.Errorf("goodput is %.0f %% of the capacity", 100*goodput)
	}

	refused := &tally{refused: slices.Concat(tallies[0].refused, tallies[1].refused)}
	median, slow := tallies[2].percentile(50), tallies[2].percentile(90)
	t.Logf("%d refusals, p50 %s, p90 %s, p99 %s; what is not there takes %s, %s", len(refused.refused),
		refused.percentile(50), refused.percentile(90), refused.percentile(99), median, slow)

	if refused.percentile(50) > 3*median+10*time.Millisecond || refused.percentile(90) > 3*slow+100*time.Millisecond {
		t.Error("refusals take too long")
	}

	for _, a := range tallies[:2] {
		// What was let in is finished, but for a few on a machine that is busy with something else.
		late := a.statuses[http.StatusGatewayTimeout]
		if a.unsaid > 0 || late > a.statuses[http.StatusOK]/10 || late > 0 && slow < 100*time.Millisecond {
			t.Errorf("%v, %d refusals do not say when to come back", a.statuses, a.unsaid)
		}
	}

	if got, other := tallies[1].statuses[http.StatusOK], tallies[0].statuses[http.StatusOK]; got < other*3/2 {
		t.Errorf("%d critical and %d low requests were served", got, other)
	}

	recovers(t, s, client, capacity, low)
}

// recovers checks that, offered much less, the backend soon serves everybody again.
func recovers(t *testing.T, s *site, client *http.Client, capacity float64, q func(n int) inquiry) {
	t.Helper()

	start := time.Now()

	for {
		calm := flow(t, s, client, capacity/3, 500*time.Millisecond, q)[0].statuses
		if len(calm) == 1 && calm[http.StatusOK] > 0 {
			t.Logf("recovered within %s", time.Since(start))

			return
		}

		if time.Since(start) > 5*time.Second {
			t.Fatalf("not recovered after %s: %v", time.Since(start), calm)
		}
	}
}

// A backend that turns calls away is not made slower than it is, and its refusals are its own.
func TestRefusalsOfTheBackendDoNotShrinkTheLimit(t *testing.T) {
	t.Parallel()

	s, b := startTroubledSite(t, unlimited)
	header, client := s.as(t, "alice"), plainClient(t)

	b.becomes(failing(rpcGetUser, codes.ResourceExhausted))

	statuses := offer(t, s, client, 500, 40, func(int) inquiry { return inquiry{target: aliceAccount, header: header} })
	if statuses[http.StatusTooManyRequests] != 500 {
		t.Errorf("%v", statuses)
	}

	b.becomes(slots(1000, 5*time.Millisecond))

	if statuses := offer(t, s, client, 500, 40, func(int) inquiry { return inquiry{target: aliceAccount, header: header} }); statuses[http.StatusOK] != 500 {
		t.Errorf("%v", statuses)
	}
}
