package traffic_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// slots is a backend that works on so many calls at a time; the others wait, in the order in which they came.
func slots(places int, work time.Duration) gatewaytest.Fault {
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

func (a *tally) add(res gatewaytest.Response, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()

	a.statuses[res.Status]++

	switch {
	case res.Status == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "":
		a.unsaid++
	case res.Status == http.StatusServiceUnavailable, res.Status == http.StatusNotFound:
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

// flow offers a backend twice what it can do, however fast the machine is: one request of each kind comes for each request that was
// served, those of the first two kinds being for the backend. It begins with some at once, and returns when it has lasted for so long,
// at least so many are served and all are answered.
func flow(t *testing.T, s *gatewaytest.Site, client *http.Client, atOnce, enough int, duration time.Duration, kinds ...func(n int) gatewaytest.Request) []*tally {
	t.Helper()

	tallies := make([]*tally, len(kinds))
	for i := range tallies {
		tallies[i] = &tally{statuses: map[int]int{}}
	}

	var wait sync.WaitGroup

	served, sent := make(chan struct{}, 2*enough), 0

	round := func() {
		sent++

		for kind := range kinds {
			q := kinds[kind](sent)

			wait.Go(func() {
				begin := time.Now()

				res, err := s.Send(t.Context(), client, q)
				if err != nil {
					t.Error(err)
				}

				tallies[kind].add(res, time.Since(begin))

				if res.Status == http.StatusOK {
					select {
					case served <- struct{}{}:
					default: // It is the end.
					}
				}
			})
		}
	}

	for range atOnce {
		round()
	}

	for start, n := time.Now(), 0; n < enough || time.Since(start) < duration; n++ {
		select {
		case <-served:
			round()
		case <-time.After(time.Minute):
			t.Fatal("nothing is served")
		}
	}

	wait.Wait()

	return tallies
}

// pace sends requests one after the other, so many at once, until the context ends, and returns how many were served.
func pace(ctx context.Context, t *testing.T, s *gatewaytest.Site, client *http.Client, atOnce int, q func(n int) gatewaytest.Request) int {
	t.Helper()

	var (
		wait         sync.WaitGroup
		sent, served atomic.Int64
	)

	for range atOnce {
		wait.Go(func() {
			for ctx.Err() == nil {
				res, err := s.Send(t.Context(), client, q(int(sent.Add(1))))
				if err != nil || res.Status != http.StatusOK {
					t.Errorf("at a pace that the backend can keep: %d %v", res.Status, err)

					return
				}

				served.Add(1)
			}
		})
	}

	wait.Wait()

	return int(served.Load())
}

// Offered twice what it can do, a backend does nearly what it can; what is too much is refused at once, and what matters least first.
//
// What can be done is what another gateway and another backend do at the same time with as many clients as the backend has places, so
// that a busy machine slows down both.
func TestOverloadedBackendGoesOnWorking(t *testing.T) {
	// Not in parallel: it takes much of the processor.
	const (
		places   = 20
		work     = 50 * time.Millisecond * gatewaytest.Slowdown
		enough   = 20 * places
		duration = 5 * time.Second
	)

	start := func() (*gatewaytest.Site, func(n int) gatewaytest.Request, func(int) gatewaytest.Request) {
		s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
			gatewaytest.Unlimited(c)
			// A busy machine takes its time.
			gatewaytest.SetPolicy(c, getOrder, gatewaytest.Object{"priority": "PRIORITY_LOW", "timeout": "60s"})
			gatewaytest.SetPolicy(c, listOrders, gatewaytest.Object{"priority": "PRIORITY_CRITICAL", "timeout": "60s"})

			u := c.Upstreams["order"]
			u.Concurrency.Initial = 3 * places
			c.Upstreams["order"] = u
		})
		header := s.As(t, "alice")

		b.FailWith(slots(places, work))

		return s, func(n int) gatewaytest.Request {
				return gatewaytest.Request{Target: fmt.Sprint("/v1/orders/", n), Header: header}
			},
			func(int) gatewaytest.Request {
				return gatewaytest.Request{Target: aliceAccount + "/orders", Header: header}
			}
	}

	s, low, critical := start()
	paced, _, pacedCritical := start()
	client := gatewaytest.PlainClient(t)

	// What has nothing to do with the backend shows what the machine can do: others may work on it.
	nothing := func(int) gatewaytest.Request { return gatewaytest.Request{Target: "/v1/nothing"} }

	if calm := offer(t, s, client, places*5, places, low); calm[http.StatusOK] < places*4 {
		t.Fatalf("without an overload: %v", calm)
	}

	ctx, stop := context.WithCancel(t.Context())
	possible := make(chan int, 1)

	go func() { possible <- pace(ctx, t, paced, gatewaytest.PlainClient(t), places, pacedCritical) }()

	tallies := flow(t, s, client, 2*places, enough, duration, low, critical, nothing)

	stop()

	done := tallies[0].statuses[http.StatusOK] + tallies[1].statuses[http.StatusOK]
	goodput := 100 * done / max(<-possible, 1)

	t.Logf("goodput %d %% of what is possible, low %v, critical %v", goodput, tallies[0].statuses, tallies[1].statuses)

	if goodput < 80 {
		t.Errorf("goodput is %d %% of what is possible", goodput)
	}

	checkRefusals(t, tallies)
	recovers(t, s, client, places/3, low)
}

// checkRefusals looks at what was refused of calls of low priority and of critical ones, beside requests for what is not there.
func checkRefusals(t *testing.T, tallies []*tally) {
	t.Helper()

	refused := &tally{refused: slices.Concat(tallies[0].refused, tallies[1].refused)}
	median, slow := tallies[2].percentile(50), tallies[2].percentile(90)
	t.Logf("%d refusals, p50 %s, p90 %s, p99 %s; what is not there takes %s, %s", len(refused.refused),
		refused.percentile(50), refused.percentile(90), refused.percentile(99), median, slow)

	if refused.percentile(50) > 3*median+10*time.Millisecond || refused.percentile(90) > 3*slow+100*time.Millisecond {
		t.Error("refusals take too long")
	}

	for _, a := range tallies[:2] {
		// What was let in is finished.
		if a.unsaid > 0 || a.statuses[http.StatusGatewayTimeout] > 0 {
			t.Errorf("%v, %d refusals do not say when to come back", a.statuses, a.unsaid)
		}
	}

	low, critical := len(tallies[0].refused), len(tallies[1].refused)
	if low == 0 || critical > low*2/3 {
		t.Errorf("%d critical and %d low requests were refused", critical, low)
	}
}

// recovers checks that, offered much less, the backend serves everybody again. How soon is the limiter's own test.
func recovers(t *testing.T, s *gatewaytest.Site, client *http.Client, atOnce int, q func(n int) gatewaytest.Request) {
	t.Helper()

	start := time.Now()

	for {
		calm := offer(t, s, client, 10*atOnce, atOnce, q)
		if calm[http.StatusOK] == 10*atOnce {
			t.Logf("recovered within %s", time.Since(start))

			return
		}

		if time.Since(start) > time.Minute {
			t.Fatalf("not recovered after %s: %v", time.Since(start), calm)
		}
	}
}

// A backend that turns calls away is not made slower than it is, and its refusals are its own.
func TestRefusalsOfTheBackendDoNotShrinkTheLimit(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, gatewaytest.Unlimited)
	header, client := s.As(t, "alice"), gatewaytest.PlainClient(t)

	b.FailWith(failing(gatewaytest.RPCGetUser, codes.ResourceExhausted))

	statuses := offer(t, s, client, 500, 40, func(int) gatewaytest.Request { return gatewaytest.Request{Target: aliceAccount, Header: header} })
	if statuses[http.StatusTooManyRequests] != 500 {
		t.Errorf("%v", statuses)
	}

	b.FailWith(slots(1000, 5*time.Millisecond))

	if statuses := offer(t, s, client, 500, 40, func(int) gatewaytest.Request { return gatewaytest.Request{Target: aliceAccount, Header: header} }); statuses[http.StatusOK] != 500 {
		t.Errorf("%v", statuses)
	}
}
