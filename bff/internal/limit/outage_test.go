package limit_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/limit"
	"github.com/portico-gateway/portico/bff/internal/limit/redislimit"
	"github.com/portico-gateway/portico/bff/internal/redis"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// gateway is one of those that share a Redis.
type gateway struct {
	open, closed http.Handler
	client       *redis.Client
	outages      atomic.Int64
}

// join opens a gateway whose limits allow ten requests.
func join(tb testing.TB, cfg redis.Config) *gateway {
	tb.Helper()

	cfg.Redis = cfg.WithDefaults()

	client, err := redis.Open(cfg, redis.Observer{})
	if err != nil {
		tb.Fatal(err)
	}

	tb.Cleanup(func() { _ = client.Close() })

	g := &gateway{client: client}
	l := limit.NewShared(100_000, redislimit.New(client), func(error) { g.outages.Add(1) })
	closed := perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 10)
	closed.ClosedOnOutage = true

	g.open = l.Route("open", []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 10)})(noContent())
	g.closed = l.Route("closed", []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1000), closed})(noContent())

	return g
}

// count asks until it is refused with the status, and returns how many requests were allowed.
func count(tb testing.TB, h http.Handler, status int) int {
	tb.Helper()

	for allowed := range 100 {
		switch got := ask(tb, h, from("192.0.2.1")).Code; got {
		case http.StatusNoContent:
		case status:
			return allowed
		default:
			tb.Fatalf("status %d, want %d", got, status)
		}
	}

	tb.Fatal("nothing is refused")

	return 0
}

func eventually(tb testing.TB, what string, is func() bool) {
	tb.Helper()

	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: never", what)
		}
	}
}

func TestLimitsAreSharedAndHoldLocallyWhileRedisIsGone(t *testing.T) {
	t.Parallel()

	server := redistest.Start(t)
	cfg := redis.Config{Redis: config.Redis{URL: server.URL(), Timeout: 5 * time.Second}, OpenFor: 200 * time.Millisecond}
	one, two := join(t, cfg), join(t, cfg)

	for range 5 {
		wantStatus(t, "one", ask(t, one.open, from("192.0.2.1")), http.StatusNoContent)
	}

	if got := count(t, two.open, http.StatusTooManyRequests); got != 5 {
		t.Errorf("%d allowed by the second gateway, want 5", got)
	}

	wantStatus(t, "one", ask(t, one.open, from("192.0.2.1")), http.StatusTooManyRequests)

	if one.outages.Load()+two.outages.Load() != 0 {
		t.Error("an outage was told")
	}

	server.Stop()

	for _, g := range []*gateway{one, two} {
		if got := count(t, g.open, http.StatusTooManyRequests); got != 10 {
			t.Errorf("%d allowed by one gateway alone, want 10", got)
		}

		if got := count(t, g.closed, http.StatusServiceUnavailable); got != 0 {
			t.Errorf("%d allowed that should not without Redis", got)
		}

		if got := g.outages.Load(); got != 12 {
			t.Errorf("%d outages told, want 12", got)
		}
	}

	server.Restart()

	back := func(g *gateway) func() bool {
		return func() bool { return g.client.Ping(t.Context()).Err() == nil && g.client.State() == redis.StateClosed }
	}
	eventually(t, "one is back", back(one))
	eventually(t, "two is back", back(two))

	// The new Redis knows nothing of what was taken before.
	if got := count(t, one.closed, http.StatusTooManyRequests); got != 10 {
		t.Errorf("%d allowed, want 10", got)
	}

	wantStatus(t, "two", ask(t, two.closed, from("192.0.2.1")), http.StatusTooManyRequests)
}

func TestRefusalDuringOutageIsAProblem(t *testing.T) {
	t.Parallel()

	g := join(t, redis.Config{Redis: config.Redis{URL: "redis://127.0.0.1:1"}})
	rec := from("192.0.2.1")
	res := ask(t, g.closed, rec)

	wantStatus(t, "closed", res, http.StatusServiceUnavailable)

	if got := res.Header().Get("Retry-After"); got != "1" || !strings.Contains(res.Body.String(), "UNAVAILABLE") {
		t.Errorf("Retry-After %q, %s", got, res.Body)
	}

	if strings.Contains(res.Body.String(), "redis") {
		t.Errorf("the answer tells how it is done: %s", res.Body)
	}

	if _, cause := rec.Outcome(); !errors.Is(cause, redis.ErrUnavailable) {
		t.Errorf("cause for the log: %v", cause)
	}
}

func TestFrozenRedisDelaysADecisionByItsTimeoutAtMost(t *testing.T) {
	t.Parallel()

	const timeout = 500 * time.Millisecond

	server := redistest.Start(t)
	g := join(t, redis.Config{Redis: config.Redis{URL: server.URL(), Timeout: timeout}, OpenFor: 500 * time.Millisecond})

	eventually(t, "connected", func() bool { return g.client.Ping(t.Context()).Err() == nil })
	server.Freeze()

	var took []time.Duration

	for g.client.State() == redis.StateClosed {
		start := time.Now()
		wantStatus(t, "frozen", ask(t, g.open, from("192.0.2.1")), http.StatusNoContent)
		took = append(took, time.Since(start))
	}

	slices.Sort(took)

	if median := took[len(took)/2]; median > 2*timeout {
		t.Errorf("decisions took %s", took)
	}

	start := time.Now()
	for range 50 {
		ask(t, g.closed, from("192.0.2.1"))
	}

	// One of them in half a second may have tried.
	if each := time.Since(start) / 50; each > timeout/2 {
		t.Errorf("with the breaker open, a decision took %s", each)
	}

	server.Thaw()
	eventually(t, "shared again", func() bool {
		before := g.outages.Load()
		ask(t, g.open, from("192.0.2.1"))

		return g.outages.Load() == before
	})
}

func TestManyAtOnceOverTwoGatewaysNeverGetMore(t *testing.T) {
	t.Parallel()

	cfg := redis.Config{Redis: config.Redis{URL: redistest.Start(t).URL(), Timeout: 10 * time.Second}}
	gateways := []*gateway{join(t, cfg), join(t, cfg)}

	var (
		wg      sync.WaitGroup
		allowed atomic.Int64
	)

	for i := range 16 {
		wg.Go(func() {
			for range 10 {
				if ask(t, gateways[i%2].open, from("192.0.2.1")).Code == http.StatusNoContent {
					allowed.Add(1)
				}
			}
		})
	}

	wg.Wait()

	if got := allowed.Load(); got != 10 {
		t.Errorf("%d allowed, want 10", got)
	}
}

// failing is a store that never answers.
type failing struct{}

func (failing) Take(ctx context.Context, _ []limit.Request) ([]limit.Decision, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}

	return nil, errors.New("gone")
}

func TestClientThatLeftIsNoOutage(t *testing.T) {
	t.Parallel()

	outages := 0
	h := limit.NewShared(100_000, failing{}, func(error) { outages++ }).
		Route("rpc", []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1)})(noContent())

	ctx, cancel := context.WithCancel(reqinfo.NewContext(t.Context(), from("192.0.2.1")))
	cancel()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))

	if outages != 0 {
		t.Error("an outage was told")
	}

	// Nobody needs to be told.
	limit.NewShared(100_000, failing{}, nil).Route("rpc", []*porticov1.RateLimit{perHour(porticov1.RateLimitKey_RATE_LIMIT_KEY_GLOBAL, 1)})(noContent()).
		ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
}

func TestPerClientAsksNobodyElse(t *testing.T) {
	t.Parallel()

	l := limit.NewShared(100_000, failing{}, func(err error) { t.Errorf("asked the store: %v", err) })
	h := l.PerClient(config.Rate{Requests: 1, Per: time.Hour})(noContent())

	wantStatus(t, "first", ask(t, h, from("192.0.2.1")), http.StatusNoContent)
	wantStatus(t, "second", ask(t, h, from("192.0.2.1")), http.StatusTooManyRequests)
}

func ExampleNew() {
	limiter := limit.New(100_000)
	handler := limiter.Route("/shop.v1.Shop/Get", []*porticov1.RateLimit{
		{Requests: 50, Per: durationpb.New(time.Second), Burst: 100, Key: porticov1.RateLimitKey_RATE_LIMIT_KEY_PRINCIPAL, Cost: 1},
	})(http.NotFoundHandler())

	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(w.Header().Get("RateLimit"))
	// Output: "principal";r=99;t=1
}
