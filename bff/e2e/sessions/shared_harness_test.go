package sessions_test

import (
	"encoding/base64"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/openidtest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
	"github.com/portico-gateway/portico/bff/internal/testkit/servers"
)

// keyOf is a key that is made of one letter.
func keyOf(letter string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

// pair are two gateways with one Redis and one issuer. Browsers log in at a.
type pair struct {
	a, b  *site
	redis *redistest.Server
	// requests is how many have arrived at both.
	requests *atomic.Int64
}

// startPair starts a Redis and two gateways. change may be nil.
func startPair(t *testing.T, issuerURL func(publicURL string) string, change func(*config.Config)) *pair {
	t.Helper()

	p := &pair{redis: redistest.Start(t), requests: &atomic.Int64{}}
	atA, atB := newPlace(t), newPlace(t)
	issuer := &servers.Issuer{URL: issuerURL(atA.url)}

	p.a, p.b = p.open(t, atA, issuer, atA.url, change), p.open(t, atB, issuer, atA.url, change)

	return p
}

// open starts one more gateway.
func (p *pair) open(t *testing.T, at place, issuer *servers.Issuer, publicURL string, change func(*config.Config)) *site {
	t.Helper()

	at.server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateActive {
			p.requests.Add(1)
		}
	}

	return startGateway(t, at, issuer, publicURL, func(c *config.Config) {
		c.Redis = config.Redis{URL: p.redis.URL(), Timeout: time.Minute}
		c.Auth.Sessions.Keys = []string{keyOf("k")}
		// A busy machine may need long for a thousand calls.
		c.Policies = append(c.Policies, config.Policy{Selector: "*", Set: map[string]any{"timeout": "60s"}})

		for name, upstream := range c.Upstreams {
			upstream.Concurrency.Disabled = true
			c.Upstreams[name] = upstream
		}

		if change != nil {
			change(c)
		}
	})
}

// startPairOf starts a pair with a scripted issuer.
func startPairOf(t *testing.T, i *scripted, change func(*config.Config)) *pair {
	t.Helper()

	return startPair(t, func(string) string { return i.url }, change)
}

// each calls a function with each gateway and the other one.
func (p *pair) each(test func(one, other *site)) {
	test(p.a, p.b)
	test(p.b, p.a)
}

// mustEndSoon checks that a session that has just ended elsewhere ends here within a second.
func (s *site) mustEndSoon(t *testing.T, b *openidtest.Browser, how string) {
	t.Helper()

	began := time.Now()

	gatewaytest.Eventually(t, "the end of the session", func() bool { return s.get(t, b, echo).Status == http.StatusUnauthorized })

	took := time.Since(began)
	t.Logf("%s: the session ended elsewhere after %s", how, took.Round(time.Millisecond))

	if took > time.Second {
		t.Errorf("%s: it took %s", how, took)
	}
}

// loginAt logs in at a gateway although browsers are sent back to another one.
func (s *site) loginAt(t *testing.T, public *site) *openidtest.Browser {
	t.Helper()

	b := openidtest.New(t)
	visit := b.Open(t, s.URL+"/auth/login", "alice", openidtest.Before("/auth/callback"))

	if visit.Next == nil || !strings.HasPrefix(visit.Next.String(), public.URL) {
		t.Fatalf("the login does not lead to %s: %s", public.URL, visit)
	}

	if !s.callback(t, b, s.URL+(&url.URL{Path: visit.Next.Path, RawQuery: visit.Next.RawQuery}).String()) {
		t.Fatal("no login")
	}

	return b
}
