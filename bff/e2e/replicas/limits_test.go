package replicas_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

const (
	// clients send at the same time.
	clients = 12
	// tolerance is how much more or less than a limit may be allowed.
	tolerance = 0.05
)

// wantAbout compares what was allowed with a limit.
func wantAbout(t *testing.T, allowed, least, most float64) {
	t.Helper()

	if allowed < least*(1-tolerance) || allowed > most*(1+tolerance) {
		t.Errorf("%.0f requests were allowed, want %.1f to %.1f", allowed, least, most)
	}
}

// flood sends requests from several clients at once, each to the next target, and returns how many were allowed. Others must be 429.
func flood(t *testing.T, targets []target, total int, request gatewaytest.Request) float64 {
	t.Helper()

	var (
		next, allowed atomic.Int64
		wait          sync.WaitGroup
	)

	for range clients {
		wait.Go(func() {
			for {
				n := int(next.Add(1))
				if n > total {
					return
				}

				res, err := targets[n%len(targets)].send(t, request)

				switch {
				case err != nil:
					t.Error(err)
				case res.Status < http.StatusMultipleChoices:
					allowed.Add(1)
				case res.Status != http.StatusTooManyRequests:
					t.Errorf("%d %s", res.Status, res.Body)
				}
			}
		})
	}

	wait.Wait()

	return float64(allowed.Load())
}

func (f *fleet) limitsAreShared(t *testing.T) {
	t.Helper()

	const (
		limit    = 200
		attempts = 2 * limit
	)

	for name, targets := range map[string][]target{"balanced": {f.balanced}, "direct": f.direct(t)} {
		for kind, request := range map[string]gatewaytest.Request{
			"bucket": {Method: http.MethodPatch, Body: `{"displayName":"A"}`}, "quota": {Method: http.MethodDelete},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				t.Parallel()

				for attempt, day := 0, -1; day != time.Now().UTC().YearDay(); attempt++ {
					// A quota begins anew at midnight.
					day = time.Now().UTC().YearDay()

					subject := fmt.Sprintf("%s-%s-%d", name, kind, attempt)
					request.Header, request.Target = f.as(t, subject), "/v1/users/"+subject

					if allowed := flood(t, targets, attempts, request); day == time.Now().UTC().YearDay() {
						wantAbout(t, allowed, limit, limit)
					}

					gatewaytest.Eventually(t, "a part of it at each gateway", func() bool { return f.served(t, subject) })
				}
			})
		}
	}
}

// A bucket fills while all gateways take from it.
func (f *fleet) rateIsShared(t *testing.T) {
	t.Helper()

	const (
		// It takes 5 seconds to fill, so that nothing overflows on a busy machine.
		rate, burst = 20, 100
		round       = 50
		lasts       = 1500 * time.Millisecond
	)

	request := gatewaytest.Request{Target: "/v1/users/rated/orders", Header: f.as(t, "rated")}
	began, targets := time.Now(), f.direct(t)
	allowed := flood(t, targets, round, request)
	// It was full until the first request, whenever that came.
	filling := time.Now()

	for time.Since(began) < lasts {
		allowed += flood(t, targets, round, request)
	}

	// The last requests leave it empty.
	least := burst + rate*time.Since(filling).Seconds()

	for refused := false; !refused; {
		more := flood(t, targets, round, request)
		allowed += more
		refused = more < round
	}

	wantAbout(t, allowed, least, burst+rate*time.Since(began).Seconds())
}
