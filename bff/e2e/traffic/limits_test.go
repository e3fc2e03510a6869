package traffic_test

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/auth/apikey"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// limited sets the only limits of a method.
func limited(c *config.Config, selector string, limits ...any) {
	gatewaytest.SetPolicy(c, selector, gatewaytest.Object{"rate_limits": limits})
}

// hourly is a bucket that does not refill while a test lasts.
func hourly(tokens int, more gatewaytest.Object) gatewaytest.Object {
	out := gatewaytest.Object{"requests": tokens, "per": "3600s", "burst": tokens}
	maps.Copy(out, more)

	return out
}

const (
	aliceAccount = "/v1/users/alice"
	getUser      = "user.v1.UserService.GetUser"
	listOrders   = "order.v1.OrderService.ListOrders"
	getOrder     = "order.v1.OrderService.GetOrder"
)

// A caller has the same limit whichever gateway it calls, and however many at once: what is in the bucket at first, and what comes
// into it later.
func TestRateLimitIsOneForTwoGateways(t *testing.T) {
	t.Parallel()

	const tokens = 20

	server := redistest.Start(t)
	twins, _ := gatewaytest.StartTwins(t, func(c *config.Config) {
		c.Redis = config.Redis{URL: server.URL(), Timeout: 10 * time.Second}
		limited(c, getUser, hourly(tokens, nil))
	})

	// Another request is allowed every three minutes. The bucket says when it is full again, so time passes if that comes earlier.
	pass := func(span time.Duration) {
		client := redis.NewClient(&redis.Options{Addr: server.Addr})
		defer client.Close()

		keys, err := client.Keys(t.Context(), "*limit:*").Result()
		if err != nil || len(keys) != 1 {
			t.Fatalf("%q, %v", keys, err)
		}

		if err := client.DecrBy(t.Context(), keys[0], span.Microseconds()).Err(); err != nil {
			t.Fatal(err)
		}
	}

	header, client := twins[0].As(t, "alice"), gatewaytest.PlainClient(t)

	for _, twin := range twins {
		if res := twin.MustSend(t, client, gatewaytest.Request{Target: aliceAccount, Header: header}); res.Status != http.StatusOK {
			t.Errorf("%d %s", res.Status, res.Body)
		}
	}

	for _, want := range []int{tokens - len(twins), tokens / 2} {
		var (
			wait    sync.WaitGroup
			allowed [2]atomic.Int64
		)

		for n := range 2 * tokens {
			wait.Go(func() {
				res, err := twins[n%2].Send(t.Context(), client, gatewaytest.Request{Target: aliceAccount, Header: header})

				switch {
				case err != nil:
					t.Error(err)
				case res.Status == http.StatusOK:
					allowed[n%2].Add(1)
				case res.Status != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "":
					t.Errorf("%d %v %s", res.Status, res.Header, res.Body)
				}
			})
		}

		wait.Wait()

		if a, b := allowed[0].Load(), allowed[1].Load(); a+b != int64(want) {
			t.Errorf("%d and %d were allowed, not %d", a, b, want)
		}

		pass(time.Hour / 2)
	}
}

// Clients can see what they have left: as the draft has it now and, if the operator wants it, as it had it before.
func TestRateLimitFields(t *testing.T) {
	t.Parallel()

	s, _ := gatewaytest.StartFlaky(t, func(c *config.Config) {
		limited(c, getUser, hourly(2, nil))
		c.Limits.LegacyHeaders = true
	})
	header := s.As(t, "alice")

	for left := 1; left >= 0; left-- {
		res := s.Do(t, http.MethodGet, aliceAccount, header, "")
		if res.Status != http.StatusOK || res.Header.Get("Retry-After") != "" {
			t.Fatalf("%d %v", res.Status, res.Header)
		}

		for name, want := range map[string]string{
			"RateLimit-Policy": `"principal";q=2;w=3600`, "RateLimit": fmt.Sprintf(`"principal";r=%d;t=%d`, left, 1800*(2-left)),
			"RateLimit-Limit": "2", "RateLimit-Remaining": strconv.Itoa(left), "RateLimit-Reset": strconv.Itoa(1800 * (2 - left)),
		} {
			if got := res.Header.Get(name); got != want {
				t.Errorf("%d left: %s is %q, want %q", left, name, got, want)
			}
		}
	}

	res := s.Do(t, http.MethodGet, aliceAccount, header, "")
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); res.Status != http.StatusTooManyRequests || err != nil ||
		seconds < 1700 || seconds > 1800 || res.Problem(t)["code"] != "RESOURCE_EXHAUSTED" {
		t.Errorf("%d %v %s", res.Status, res.Header, res.Body)
	}

	if res := s.Do(t, http.MethodGet, "/v1/users/bob", s.As(t, "bob"), ""); res.Status != http.StatusOK {
		t.Errorf("another caller: %d", res.Status)
	}
}

// allowedOf sends requests and tells how many were not refused for being too many.
func allowedOf(t *testing.T, s *gatewaytest.Site, header http.Header, target string, requests int) int {
	t.Helper()

	allowed := 0

	for range requests {
		if res := s.Do(t, http.MethodGet, target, header, ""); res.Status == http.StatusOK {
			allowed++
		} else if res.Status != http.StatusTooManyRequests {
			t.Errorf("%s: %d %s", target, res.Status, res.Body)
		}
	}

	return allowed
}

// Without Redis each gateway limits for itself, and methods that would rather serve nobody do so, until Redis is back.
func TestRateLimitsWhileRedisIsGone(t *testing.T) {
	t.Parallel()

	const tokens = 10

	server := redistest.Start(t)
	twins, b := gatewaytest.StartTwins(t, func(c *config.Config) {
		c.Redis = config.Redis{URL: server.URL(), Timeout: 5 * time.Second}
		limited(c, getUser, hourly(tokens, nil))
		limited(c, listOrders, hourly(tokens, gatewaytest.Object{"closed_on_outage": true}))
	})
	header := twins[0].As(t, "alice")

	if res := twins[0].Do(t, http.MethodGet, aliceAccount+"/orders", header, ""); res.Status != http.StatusOK {
		t.Fatalf("with Redis: %d %s", res.Status, res.Body)
	}

	server.Stop()

	for i, s := range twins {
		if got := allowedOf(t, s, header, aliceAccount, 2*tokens); got < 1 || got > tokens {
			t.Errorf("gateway %d allowed %d by itself, want at most %d", i, got, tokens)
		}

		b.TakeCalls()

		start := time.Now()

		res := s.Do(t, http.MethodGet, aliceAccount+"/orders", header, "")
		if res.Status != http.StatusServiceUnavailable || res.Header.Get("Retry-After") != "1" || res.Problem(t)["code"] != "UNAVAILABLE" {
			t.Errorf("gateway %d, closed: %d %v %s", i, res.Status, res.Header, res.Body)
		}

		if took := time.Since(start); b.Count() != 0 || took > 20*time.Second {
			t.Errorf("gateway %d called the backend %d times in %s", i, b.Count(), took)
		}
	}

	server.Restart()
	gatewaytest.Eventually(t, "Redis being used again", func() bool {
		return twins[0].Do(t, http.MethodGet, aliceAccount+"/orders", header, "").Status == http.StatusOK
	})
}

// A quota is one for both gateways, and ends at midnight.
func TestDailyQuota(t *testing.T) {
	t.Parallel()

	const quota = 5

	if left := time.Until(time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)); left < time.Minute {
		t.Skip("it is midnight in a moment")
	}

	server := redistest.Start(t)
	twins, _ := gatewaytest.StartTwins(t, func(c *config.Config) {
		c.Redis = config.Redis{URL: server.URL(), Timeout: 10 * time.Second}
		limited(c, getUser, gatewaytest.Object{"requests": quota, "daily": true})
	})
	header := twins[0].As(t, "alice")

	got := allowedOf(t, twins[0], header, aliceAccount, 3) + allowedOf(t, twins[1], header, aliceAccount, 3)
	if got != quota {
		t.Errorf("%d were allowed, want %d", got, quota)
	}

	res := twins[0].Do(t, http.MethodGet, aliceAccount, header, "")
	wait, err := strconv.Atoi(res.Header.Get("Retry-After"))
	midnight := time.Until(time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)).Seconds()

	if res.Status != http.StatusTooManyRequests || err != nil || float64(wait) < midnight-1 || float64(wait) > midnight+60 ||
		res.Header.Get("RateLimit-Policy") != `"principal";q=5;w=86400` {
		t.Errorf("%d %v, midnight in %.0f seconds", res.Status, res.Header, midnight)
	}
}

// Methods share a limit by its name, each at its own price. What is refused costs nothing.
func TestLimitsOfOneNameShareTokens(t *testing.T) {
	t.Parallel()

	s, _ := gatewaytest.StartFlaky(t, func(c *config.Config) {
		limited(c, getUser, hourly(10, gatewaytest.Object{"name": "reads"}))
		limited(c, listOrders, hourly(10, gatewaytest.Object{"name": "reads", "cost": 4}))
	})
	header := s.As(t, "alice")

	for i, row := range []struct {
		target string
		status int
		left   string
	}{
		{aliceAccount, http.StatusOK, ";r=9;"},
		{aliceAccount + "/orders", http.StatusOK, ";r=5;"},
		{aliceAccount + "/orders", http.StatusOK, ";r=1;"},
		{aliceAccount + "/orders", http.StatusTooManyRequests, ";r=1;"},
		{aliceAccount, http.StatusOK, ";r=0;"},
		{aliceAccount, http.StatusTooManyRequests, ";r=0;"},
	} {
		res := s.Do(t, http.MethodGet, row.target, header, "")
		if left := res.Header.Get("RateLimit"); res.Status != row.status || !strings.Contains(left, row.left) {
			t.Errorf("%d: %s answered %d and %s left, want %d and %s", i, row.target, res.Status, left, row.status, row.left)
		}
	}
}

// machine is a key and whom it stands for.
type machine struct{ subject, tenant string }

// keysFor writes a file of API keys and returns it with the headers that show them.
func keysFor(t *testing.T, machines ...machine) (file string, headers []http.Header) {
	t.Helper()

	file = filepath.Join(t.TempDir(), "keys.yaml")
	text := "keys:\n"

	for _, m := range machines {
		key, id := apikey.New()
		text += fmt.Sprintf("  - {id: %s, sha256: %s, subject: %s, tenant: %q}\n", id, apikey.Hash(key), m.subject, m.tenant)

		headers = append(headers, http.Header{"X-Api-Key": {key}})
	}

	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}

	return file, headers
}

// Limits by API key and by tenant are for what they are named after, and for callers without that, for them.
func TestLimitsByKeyAndTenant(t *testing.T) {
	t.Parallel()

	file, keys := keysFor(t, machine{"alice", "acme"}, machine{"alice", "acme"}, machine{"bob", "acme"}, machine{"bob", "other"})
	s, _ := gatewaytest.StartFlaky(t, func(c *config.Config) {
		c.Auth.APIKeys.File = file
		limited(c, getOrder, hourly(3, gatewaytest.Object{"key": "RATE_LIMIT_KEY_API_KEY"}))
		limited(c, "payment.v1.PaymentService.GetPayment", hourly(3, gatewaytest.Object{"key": "RATE_LIMIT_KEY_TENANT"}))
	})

	token := s.As(t, "carol")

	for i, row := range []struct {
		target  string
		header  http.Header
		allowed int
	}{
		{"/v1/orders/1", keys[0], 3},
		{"/v1/orders/1", keys[1], 3},
		{"/v1/orders/1", token, 3},
		{"/v1/orders/1", s.As(t, "carol"), 0},
		{"/v1/payments/1", keys[0], 3},
		{"/v1/payments/1", keys[1], 0},
		{"/v1/payments/1", keys[2], 0},
		{"/v1/payments/1", keys[3], 3},
		{"/v1/payments/1", token, 3},
	} {
		if got := allowedOf(t, s, row.header, row.target, 5); got != row.allowed {
			t.Errorf("%d: %s allowed %d, want %d", i, row.target, got, row.allowed)
		}
	}
}

// A Redis that hangs costs the first requests its timeout, and later ones nothing.
func TestRequestsWhileRedisHangs(t *testing.T) {
	t.Parallel()

	// Longer than a request without Redis takes on a busy machine.
	const timeout = time.Second

	server := redistest.Start(t)
	s, _ := gatewaytest.StartFlaky(t, func(c *config.Config) {
		c.Redis = config.Redis{URL: server.URL(), Timeout: timeout}
		gatewaytest.SetPolicy(c, "*", gatewaytest.Object{"timeout": "60s"})
		limited(c, getUser, hourly(1000, nil))
	})
	header := s.As(t, "alice")

	for _, target := range []string{aliceAccount, aliceProfile} {
		if res := s.Do(t, http.MethodGet, target, header, ""); res.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", target, res.Status, res.Body)
		}
	}

	server.Freeze()
	defer server.Thaw()

	slow := 0

	for n := range 40 {
		target := []string{aliceAccount, aliceProfile}[n%2]
		start := time.Now()

		if res := s.Do(t, http.MethodGet, target, header, ""); res.Status != http.StatusOK {
			t.Errorf("%s: %d %s", target, res.Status, res.Body)
		}

		if time.Since(start) > timeout {
			slow++
		}
	}

	// Five failures open the breaker. While it is open it is tried now and then.
	if slow > 10 {
		t.Errorf("%d of 40 requests waited for Redis", slow)
	}
}
