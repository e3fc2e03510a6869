package traffic_test

import (
	"context"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Clients can have less time than the route has and never more, and backends have a little less than that.
func TestDeadlines(t *testing.T) {
	t.Parallel()

	const route = 2 * time.Second // Of GetUser, as the schema has it.

	s, b := gatewaytest.StartFlaky(t, gatewaytest.Unlimited)
	client := gatewaytest.PlainClient(t)

	for name, row := range map[string]struct {
		field, value string
		want         time.Duration
	}{
		"none":                 {"", "", route},
		"shorter_in_seconds":   {"Request-Timeout", "0.8", 800 * time.Millisecond},
		"shorter_as_of_grpc":   {"Grpc-Timeout", "800m", 800 * time.Millisecond},
		"longer_in_seconds":    {"Request-Timeout", "60", route},
		"longer_as_of_grpc":    {"Grpc-Timeout", "99999999S", route},
		"very_long_in_seconds": {"Request-Timeout", "999999999999", route},
	} {
		header := s.As(t, "alice")
		if row.field != "" {
			header.Set(row.field, row.value)
		}

		b.TakeCalls()

		if res := s.MustSend(t, client, gatewaytest.Request{Target: aliceAccount, Header: header}); res.Status != http.StatusOK {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}

		// The gateway keeps 20 ms.
		left := b.TakeCalls()[0].Left
		if left > row.want-19*time.Millisecond || left < row.want-700*time.Millisecond {
			t.Errorf("%s: the backend has %s of %s", name, left, row.want)
		}
	}

	for _, bad := range []http.Header{{"Request-Timeout": {"soon"}}, {"Grpc-Timeout": {"5"}}, {"Request-Timeout": {"0"}}} {
		header := s.As(t, "alice")
		maps.Copy(header, bad)

		if res := s.MustSend(t, client, gatewaytest.Request{Target: aliceAccount, Header: header}); res.Status != http.StatusBadRequest {
			t.Errorf("%v: %d %s", bad, res.Status, res.Body)
		}
	}
}

// hangs is a backend that never answers.
func hangs(ctx context.Context, _ string) error {
	<-ctx.Done()

	return status.FromContextError(ctx.Err()).Err()
}

// The answer to a request whose time is over comes in time, and is the gateway's own.
func TestDeadlinesAreKept(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, getUser, gatewaytest.Object{"timeout": "1s"})
		gatewaytest.SetPolicy(c, "dashboard.v1.*", gatewaytest.Object{"timeout": "0.7s"})
	})
	client := gatewaytest.PlainClient(t)

	b.FailWith(hangs)

	hurried := s.As(t, "alice")
	hurried.Set("Request-Timeout", "0.3")

	for name, row := range map[string]struct {
		target string
		header http.Header
		want   time.Duration
	}{
		"of_the_route":           {aliceAccount, s.As(t, "alice"), time.Second},
		"of_the_client":          {aliceAccount, hurried, 300 * time.Millisecond},
		"of_a_composite":         {"/v1/me/dashboard", s.As(t, "alice"), 700 * time.Millisecond},
		"of_a_composites_client": {"/v1/me/dashboard", hurried, 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			start := time.Now()
			res := s.MustSend(t, client, gatewaytest.Request{Target: row.target, Header: row.header})

			took := time.Since(start)
			if res.Status != http.StatusGatewayTimeout || res.Problem(t)["code"] != "DEADLINE_EXCEEDED" || took < row.want*8/10 || took > row.want+20*time.Second {
				t.Errorf("%d after %s, want 504 after %s: %s", res.Status, took, row.want, res.Body)
			}
		})
	}
}

// Each leg has what is left of the request's time, but for what the answer takes; one that needs all of it costs its part and no more.
// That the composite itself still answers in time is tested with a clock of its own, in package composite.
func TestLegsShareTheDeadline(t *testing.T) {
	t.Parallel()

	const (
		timeout = 30 * time.Second
		// Of the gateway and of the composite, each at least 20 ms.
		least, most = 20 * time.Millisecond, 500 * time.Millisecond
	)

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		gatewaytest.Unlimited(c)
		gatewaytest.SetPolicy(c, "*", gatewaytest.Object{"timeout": "30s"})
	})

	b.FailWith(func(_ context.Context, rpc string) error {
		if rpc == gatewaytest.RPCGetProfile {
			return status.Error(codes.DeadlineExceeded, "as if its time was over")
		}

		return nil
	})

	start := time.Now()
	res := s.MustSend(t, gatewaytest.PlainClient(t), gatewaytest.Request{Target: "/v1/me/dashboard", Header: s.As(t, "alice")})
	took := time.Since(start)

	if res.Status != http.StatusOK || !strings.Contains(res.Body, "DEADLINE_EXCEEDED") {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	calls := b.TakeCalls()
	if len(calls) < 3 {
		t.Errorf("%d legs", len(calls))
	}

	for _, c := range calls {
		if c.Left > timeout-least || c.Left < timeout-most-took {
			t.Errorf("%s has %s, after %s at most", c.RPC, c.Left, took)
		}
	}
}

// Once, a call that had failed looked like any other.
func TestServerTimingOfFailedCalls(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		patient(c)

		c.Server.ServerTiming = true
	})
	b.FailWith(func(_ context.Context, rpc string) error {
		if rpc == gatewaytest.RPCListOrders {
			return status.Error(codes.NotFound, "there are none")
		}

		return nil
	})

	got := s.MustSend(t, gatewaytest.PlainClient(t), gatewaytest.Request{Target: "/v1/me/dashboard", Header: s.As(t, "alice")}).
		Header.Get("Server-Timing")
	if !regexp.MustCompile(`order;desc="order.v1.OrderService/ListOrders";[^,]*;code=NOT_FOUND`).MatchString(got) ||
		strings.Count(got, ";code=") != 1 {
		t.Errorf("got %q", got)
	}
}

// What calls take is told where it is turned on.
func TestServerTiming(t *testing.T) {
	t.Parallel()

	for name, on := range map[string]bool{"on": true, "off": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s, _ := gatewaytest.StartFlaky(t, func(c *config.Config) {
				patient(c)

				c.Server.ServerTiming = on
			})
			client, header := gatewaytest.PlainClient(t), s.As(t, "alice")

			for target, metrics := range map[string][]string{
				aliceAccount: {"total", `user;desc="user.v1.UserService/GetUser"`},
				"/v1/me/dashboard": {
					"total", `user;desc="user.v1.UserService/GetUser"`, `order;desc="order.v1.OrderService/ListOrders"`,
					`profile;desc="profile.v1.ProfileService/GetProfile"`,
				},
			} {
				got := s.MustSend(t, client, gatewaytest.Request{Target: target, Header: header}).Header.Get("Server-Timing")
				if !on {
					if got != "" {
						t.Errorf("%s: %s", target, got)
					}

					continue
				}

				for _, metric := range metrics {
					start := `;start=\d+\.\d`
					if metric == "total" {
						start = ""
					}

					if !regexp.MustCompile(`(^|, )` + regexp.QuoteMeta(metric) + `;dur=\d+\.\d` + start + `(,|$)`).MatchString(got) {
						t.Errorf("%s: %s is not in %q", target, metric, got)
					}
				}

				if strings.Count(got, ";dur=") != len(metrics) {
					t.Errorf("%s: %q", target, got)
				}
			}
		})
	}
}
