package replicas_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// probe is what is asked of two gateways over a Redis that something happens to.
type probe struct {
	t        *testing.T
	redis    *disturbed
	gateways [2]*gatewaytest.Site
	backend  *gatewaytest.FlakyBackend
	client   *http.Client
	// caller has one token: cached responses are those of a caller's claims, and another token has other times in them.
	caller http.Header
	// asked is how many bytes Redis has replied to questions of spent.
	asked int
}

// allowance is what each limit of the probes allows in a day.
const allowance = 3

// sharing is the configuration of gateways over a Redis, with a limit of each kind.
func sharing(url string, timeout time.Duration) func(*config.Config) {
	return func(c *config.Config) {
		gatewaytest.Patient(c)

		c.Redis.URL, c.Redis.Timeout = url, timeout

		for selector, limit := range map[string]gatewaytest.Object{
			"user.v1.UserService.GetUser":      {"requests": allowance, "per": "86400s", "burst": allowance},
			"user.v1.UserService.DeleteUser":   {"requests": allowance, "daily": true},
			"order.v1.OrderService.ListOrders": {"requests": 100 * allowance, "per": "86400s", "closed_on_outage": true},
		} {
			gatewaytest.SetPolicy(c, selector, gatewaytest.Object{"rate_limits": []any{limit}})
		}

		gatewaytest.SetPolicy(c, "profile.v1.ProfileService.GetProfile", gatewaytest.Object{
			"cache": gatewaytest.Object{"ttl": "3600s", "tags": []any{"profile:{user_id}"}},
			"retry": gatewaytest.Object{"max_attempts": 1},
		})
	}
}

// Requests of the probes.
func (p *probe) bucket() gatewaytest.Request { return gatewaytest.Request{Target: "/v1/users/alice"} }

func (p *probe) quota() gatewaytest.Request {
	return gatewaytest.Request{Method: http.MethodDelete, Target: "/v1/users/alice"}
}

func (p *probe) closed() gatewaytest.Request {
	return gatewaytest.Request{Target: "/v1/users/alice/orders"}
}

func (p *probe) cached() gatewaytest.Request {
	return gatewaytest.Request{Target: "/v1/users/alice/profile"}
}

func (p *probe) change(bio string) gatewaytest.Request {
	return gatewaytest.Request{Method: http.MethodPatch, Target: p.cached().Target, Body: `{"bio":"` + bio + `"}`}
}

func (p *probe) order(key string) gatewaytest.Request {
	return gatewaytest.Request{
		Method: http.MethodPost, Target: "/v1/orders", Header: http.Header{"Idempotency-Key": {key}},
		// So that its response can be found.
		Body: strings.Replace(gatewaytest.AnOrder, `"title":"t"`, `"title":"`+key+`"`, 1),
	}
}

// send sends a request of a caller to a gateway. It is safe to use by many goroutines.
func (p *probe) send(gateway int, request gatewaytest.Request) gatewaytest.Response {
	p.t.Helper()

	request.Host, request.Header = "shop.example", request.Header.Clone()
	if request.Header == nil {
		request.Header = http.Header{}
	}

	if request.Header.Get("Authorization") == "" {
		request.Header["Authorization"] = p.caller["Authorization"]
	}

	res, err := p.gateways[gateway].Send(p.t.Context(), p.client, request)
	if err != nil {
		p.t.Error(err)
	}

	return res
}

// must is send of a request that has to have this status.
func (p *probe) must(gateway int, request gatewaytest.Request, status int) gatewaytest.Response {
	p.t.Helper()

	res := p.send(gateway, request)
	if res.Status != status {
		p.t.Fatalf("%s %s: %d %s", request.Method, request.Target, res.Status, res.Body)
	}

	return res
}

// bio returns the one in a profile, as far as the gateway knows.
func (p *probe) bio(gateway int) string {
	p.t.Helper()

	_, bio, _ := strings.Cut(p.must(gateway, p.cached(), http.StatusOK).Body, `"bio":"`)
	bio, _, _ = strings.Cut(bio, `"`)

	return bio
}

// prepare uses up the limits, and has a response cached and a key used.
func (p *probe) prepare() {
	p.t.Helper()

	for n := range allowance {
		p.must(n%2, p.bucket(), http.StatusOK)
		p.must(n%2, p.quota(), http.StatusNoContent)
	}

	for gateway := range p.gateways {
		p.must(gateway, p.bucket(), http.StatusTooManyRequests)
		p.must(gateway, p.quota(), http.StatusTooManyRequests)
		p.must(gateway, p.closed(), http.StatusOK)
	}

	p.must(0, p.change("first"), http.StatusOK)
	p.must(0, p.cached(), http.StatusOK)

	if res := p.must(1, p.cached(), http.StatusOK); !isHit(res) {
		p.t.Fatalf("not cached for both: %v", res.Header)
	}

	p.must(0, p.order("before"), http.StatusCreated)
}

func isHit(res gatewaytest.Response) bool {
	return strings.HasPrefix(res.Header.Get("Cache-Status"), "portico; hit")
}

// metric returns the value of one of a gateway; zero if it has none.
func (p *probe) metric(gateway int, pattern string) float64 {
	p.t.Helper()

	found := regexp.MustCompile(`(?m)^` + pattern + ` (\S+)$`).FindStringSubmatch(
		gatewaytest.AdminGet(p.t, p.gateways[gateway].Gateway, "/metrics").Body)
	if found == nil {
		return 0
	}

	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		p.t.Error(err)
	}

	return value
}

func (p *probe) breaker(gateway int) float64 {
	p.t.Helper()

	return p.metric(gateway, "portico_redis_breaker_state")
}

// awaitOpen sends requests until both gateways know that Redis fails.
func (p *probe) awaitOpen() {
	p.t.Helper()

	const atOnce = 8

	for gateway := range p.gateways {
		gatewaytest.Eventually(p.t, "the breaker opening", func() bool {
			var wait sync.WaitGroup
			for range atOnce {
				wait.Go(func() { p.send(gateway, p.closed()) })
			}

			wait.Wait()

			return p.breaker(gateway) != 0
		})
	}
}

// askedLittle checks that a gateway whose breaker is open does not ask Redis for each request.
func (p *probe) askedLittle() {
	p.t.Helper()

	const (
		requests = 50
		// each second the breaker, and the watch, may try once.
		perSecond = 2
	)

	failures := func() float64 { return p.metric(1, `portico_redis_failures_total\{reason="[a-z]+"\}`) }
	began, before := time.Now(), failures()

	for range requests {
		p.send(1, p.closed())
	}

	if asked := failures() - before; asked > perSecond*(time.Since(began).Seconds()+2) {
		p.t.Errorf("Redis was asked %.0f times in %v", asked, time.Since(began))
	}
}

// awaitClosed waits until both gateways use Redis again.
func (p *probe) awaitClosed() {
	p.t.Helper()

	// bound is far more than the second after which the breaker tries: the machine may be busy.
	const bound = 20 * time.Second

	began := time.Now()

	for gateway := range p.gateways {
		gatewaytest.Eventually(p.t, "the breaker closing", func() bool {
			p.send(gateway, p.closed())
			return p.breaker(gateway) == 0
		})
	}

	if took := time.Since(began); took > bound {
		p.t.Errorf("Redis was used again after %v", took)
	}
}

var (
	reasonLine = regexp.MustCompile(`"msg":"redis is unavailable","reason":"([a-z]+)"`)
	policyLine = regexp.MustCompile(`"msg":"redis may evict [^"]*"`)
)

// told returns what log, metrics and readiness of a gateway say.
func (p *probe) told() string {
	p.t.Helper()

	var parts []string

	log := p.gateways[1].Logs.String()

	for _, found := range reasonLine.FindAllStringSubmatch(log, -1) {
		parts = append(parts, "`"+found[1]+"`")

		if p.metric(1, `portico_redis_failures_total\{reason="`+found[1]+`"\}`) == 0 {
			p.t.Errorf("the log says %s, and the metric does not", found[1])
		}
	}

	slices.Sort(parts)

	if policyLine.MatchString(log) {
		parts = append(parts, "a warning of the policy")
	}

	ready := gatewaytest.AdminGet(p.t, p.gateways[1].Gateway, "/readyz?verbose")
	if ready.Status != http.StatusOK {
		p.t.Errorf("the gateway is not ready: %s", ready.Body)
	}

	line := regexp.MustCompile(`(?m)^\[.\]redis ([a-z]+)`).FindStringSubmatch(ready.Body)
	if line == nil {
		p.t.Fatalf("no check of Redis in %s", ready.Body)
	}

	return fmt.Sprintf("%s; `redis %s`", strings.Join(parts, ", "), line[1])
}
