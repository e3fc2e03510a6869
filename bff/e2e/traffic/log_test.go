package traffic_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// lineOf returns the access line of the request with an id, without what is different each time.
func lineOf(t *testing.T, s *gatewaytest.Site, id string) map[string]any {
	t.Helper()

	var line map[string]any

	gatewaytest.Eventually(t, "the access line of "+id, func() bool {
		for text := range strings.Lines(s.Logs.String()) {
			if strings.Contains(text, `"request_id":"`+id+`"`) {
				return json.Unmarshal([]byte(text), &line) == nil
			}
		}

		return false
	})

	return line
}

// Once, only the text of an error said why the gateway had refused a request.
func TestAccessLinesSayWhyARequestWasRefused(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) {
		limited(c, getUser, hourly(1, gatewaytest.Object{"name": "accounts"}))
		limited(c, listOrders, hourly(1, nil))
	})
	alice := s.As(t, "alice")

	for _, row := range []struct {
		method, path, body string
		header             http.Header
		reason, limit      any
	}{
		{http.MethodGet, aliceAccount, "", alice, nil, nil},
		{http.MethodGet, aliceAccount, "", alice, "rate_limit", "accounts"},
		{http.MethodGet, aliceAccount + "/orders", "", alice, nil, nil},
		{http.MethodGet, aliceAccount + "/orders", "", alice, "rate_limit", "principal"},
		{http.MethodGet, aliceAccount, "", nil, "no_credential", nil},
		{http.MethodGet, aliceAccount, "", http.Header{"Authorization": {"Bearer x"}}, "invalid_credential", nil},
		{http.MethodGet, "/v1/users/bob", "", alice, "owner", nil},
		{http.MethodGet, "/v1/nothing", "", alice, "no_route", nil},
		{http.MethodDelete, "/v1/me/dashboard", "", alice, "method", nil},
		{http.MethodPost, "/v1/orders", `{"nope":1}`, alice, "invalid_request", nil},
		{http.MethodPost, "/v1/orders", strings.Repeat("x", 2<<20), alice, "body_too_large", nil},
	} {
		id := "request-" + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(row.path) + "-" + row.method
		header := row.header.Clone()

		if header == nil {
			header = http.Header{}
		}

		if row.reason != nil {
			id += "-" + row.reason.(string)
		}

		header.Set("X-Request-Id", id)
		s.Do(t, row.method, row.path, header, row.body)

		got := lineOf(t, s, id)
		if diff := cmp.Diff([]any{row.reason, row.limit}, []any{got["reason"], got["limit"]}); diff != "" {
			t.Errorf("%s: %s\n%v", id, diff, got)
		}
	}
}

// A call that was made again has more attempts than calls, and one that was not made because of a breaker has none.
func TestAccessLinesSayWhereCallsWent(t *testing.T) {
	t.Parallel()

	s, b := gatewaytest.StartFlaky(t, func(c *config.Config) {
		u := c.Upstreams["user"]
		u.Breaker = config.Breaker{MinRequests: 2, OpenFor: time.Hour}
		c.Upstreams["user"] = u
	})
	get := func(id string) map[string]any {
		header := s.As(t, "alice")
		header.Set("X-Request-Id", id)
		s.Do(t, http.MethodGet, aliceAccount, header, "")

		return lineOf(t, s, id)
	}

	var failed atomic.Bool

	b.FailWith(func(context.Context, string) error {
		if failed.Swap(true) {
			return nil
		}

		return status.Error(codes.Unavailable, "restarting")
	})

	got := get("request-1")
	if got["calls"] != 1.0 || got["attempts"] != 2.0 || got["upstream_address"] != b.Address || got["status"] != 200.0 {
		t.Errorf("after a retry: %v", got)
	}

	b.FailWith(func(context.Context, string) error { return status.Error(codes.Unavailable, "down") })

	for i := range 10 {
		got = get(fmt.Sprintf("request-down-%d", i))
		if got["reason"] != nil {
			break
		}

		if got["upstream_address"] != b.Address || got["calls"] != 1.0 || got["status"] != 503.0 {
			t.Errorf("of a backend that is down: %v", got)
		}
	}

	if got["reason"] != "breaker" || got["calls"] != 0.0 || got["attempts"] != 0.0 || got["upstream"] != "user" || got["upstream_address"] != nil {
		t.Errorf("of an open breaker: %v", got)
	}
}
