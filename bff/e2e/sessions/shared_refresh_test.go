package sessions_test

import (
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
)

// A thousand requests that arrive at two gateways with an expired access token cause one refresh. The issuer takes a refresh token
// once: a second refresh would end the session.
func TestSharedRefreshAtExpiry(t *testing.T) {
	t.Parallel()

	const each = 500

	i := startScripted(t, nil)
	i.life, i.held = tokenLife, make(chan struct{})
	p := startPairOf(t, i, afterExpiry)
	b := p.a.login(t, "alice")

	// The connections to the backends are there before a thousand requests want them.
	for _, s := range []*site{p.a, p.b} {
		if res := s.Do(t, http.MethodGet, echo, s.As(t, "alice"), ""); res.Status != http.StatusOK {
			t.Fatalf("%d %s", res.Status, res.Body)
		}

		s.TakeCalls()
	}

	expire(t)

	var (
		requests  sync.WaitGroup
		succeeded atomic.Int32
		first     sync.Once
	)

	before, began := p.requests.Load(), time.Now()

	for _, s := range []*site{p.a, p.b} {
		for range each {
			requests.Go(func() {
				if res := s.get(t, b, echo); res.Status == http.StatusOK {
					succeeded.Add(1)
				} else {
					first.Do(func() { t.Errorf("%d %s", res.Status, res.Body) })
				}
			})
		}
	}

	gatewaytest.Eventually(t, "all requests being sent", func() bool { return p.requests.Load() >= before+2*each })
	gatewaytest.Eventually(t, "a refresh", func() bool { return i.arrived.Load() > 0 })
	close(i.held)
	requests.Wait()
	t.Logf("%d requests took %s", 2*each, time.Since(began).Round(time.Millisecond))

	if got := i.arrived.Load(); got != 1 {
		t.Errorf("%d refreshes", got)
	}

	if calls := p.a.Count() + p.b.Count(); calls != 2*each || succeeded.Load() != 2*each {
		t.Errorf("%d calls, and %d responses", calls, succeeded.Load())
	}

	p.a.mustLive(t, b, "alice")
	p.b.mustLive(t, b, "alice")
}

// A token that is going to expire is replaced once as well, and nobody waits for it.
func TestSharedRefreshAhead(t *testing.T) {
	t.Parallel()

	const each = 20

	i := startScripted(t, nil)
	// Half of it has to pass before a refresh; the rest is time enough for the requests of this test.
	i.life, i.held = 4*time.Second, make(chan struct{})
	p := startPairOf(t, i, soon)
	b := p.a.login(t, "alice")

	// On a busy machine the token may expire at any time, and requests then wait for the refresh.
	release := sync.OnceFunc(func() { close(i.held) })
	time.AfterFunc(i.life, release)

	send := func() {
		var requests sync.WaitGroup

		for _, s := range []*site{p.a, p.b} {
			for range each {
				requests.Go(func() {
					if res := s.get(t, b, echo); res.Status != http.StatusOK {
						t.Errorf("%d %s", res.Status, res.Body)
					}
				})
			}
		}

		requests.Wait()
	}

	gatewaytest.Eventually(t, "a refresh", func() bool {
		send()

		return i.arrived.Load() > 0
	})

	send()
	send()
	release()
	gatewaytest.Eventually(t, "the end of the refresh", func() bool { return i.count("refresh_token") == 1 })
	send()

	if got := i.arrived.Load(); got != 1 {
		t.Errorf("%d refreshes", got)
	}

	p.a.mustLive(t, b, "alice")
	p.b.mustLive(t, b, "alice")
}

// A gateway that dies while it has the right to refresh a session holds the others up no longer than its lease.
func TestRefreshOfADeadGateway(t *testing.T) {
	t.Parallel()

	i := startScripted(t, nil)
	i.life = tokenLife
	p := startPairOf(t, i, afterExpiry)
	b := openidtest.New(t)
	b.Login(t, p.a.URL, "/", "alice")

	const prefix = "portico:session:"

	var key string

	for _, each := range elements(p.redis.Do("KEYS", prefix+"*")) {
		key = strings.TrimPrefix(each, prefix)
	}

	expire(t)

	// The right of a gateway that was killed, and has a second left.
	if reply := p.redis.Do("SET", "portico:session-claim:refresh:"+key, "dead", "NX", "PX", "1000"); !strings.HasPrefix(reply, "+OK") {
		t.Fatal(reply)
	}

	for _, s := range []*site{p.a, p.b} {
		if res := s.get(t, b, getAlice); res.Status != http.StatusOK {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}

	if got := i.arrived.Load(); got != 1 {
		t.Errorf("%d refreshes", got)
	}
}
