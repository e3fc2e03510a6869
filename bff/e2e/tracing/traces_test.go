package tracing_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	"github.com/portico-gateway/portico/bff/internal/testkit/oteltest"
	"github.com/portico-gateway/portico/bff/internal/testkit/redistest"
)

// Branches are siblings, each with its own way to a backend, which continues the trace below its attempt.
const dashboard = `GET /v1/me/dashboard http.response.status_code=200
  branch orders
    leg order.v1.OrderService/ListOrders
      cache portico.cache.event=miss
        call order.v1.OrderService/ListOrders rpc.response.status_code=OK
          order.v1.OrderService/ListOrders portico.attempt=1 rpc.response.status_code=OK
  branch profile
    leg profile.v1.ProfileService/GetProfile
      cache portico.cache.event=miss
        call profile.v1.ProfileService/GetProfile rpc.response.status_code=OK
          profile.v1.ProfileService/GetProfile portico.attempt=1 rpc.response.status_code=OK
  branch user
    leg user.v1.UserService/GetUser
      cache portico.cache.event=miss
        call user.v1.UserService/GetUser rpc.response.status_code=OK
          user.v1.UserService/GetUser portico.attempt=1 rpc.response.status_code=OK
`

func outline(spans []oteltest.Span) string {
	return oteltest.Tree(spans, "http.response.status_code", "portico.cache.event", "portico.attempt", "rpc.response.status_code",
		"error.type")
}

func TestDashboardIsOneTrace(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	_, line, spans := s.traced(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"))

	if diff := cmp.Diff(dashboard, outline(spans)); diff != "" {
		t.Error(diff)
	}

	oteltest.Connected(t, spans, "")

	root := spans[slices.IndexFunc(spans, func(s oteltest.Span) bool { return s.Kind == "SERVER" })]
	if line["span_id"] != root.ID || root.Attributes["portico.request_id"] != line["request_id"] {
		t.Errorf("the log has %v, the span %v", line, root)
	}

	parents := s.parents()

	for _, rpc := range []string{gatewaytest.RPCGetUser, gatewaytest.RPCListOrders, gatewaytest.RPCGetProfile} {
		made := attempts(spans, rpc)
		if len(made) != 1 || made[0].Kind != "CLIENT" || !slices.Equal(parents[rpc], []string{traceparent(made[0])}) {
			t.Errorf("the backend of %s got %q; attempts: %v", rpc, parents[rpc], made)
		}
	}
}

// The names and attributes of the semantic conventions.
func TestConventions(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	header := s.As(t, "alice")
	header.Set("User-Agent", "test/1")

	_, _, spans := s.traced(t, http.MethodGet, "/v1/users/alice?utm_source=secret", header)
	root := oteltest.Named(spans, "GET /v1/users/{user_id}")[0].Attributes
	host, port, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")

	for name, want := range map[string]string{
		"http.request.method": "GET", "http.route": "/v1/users/{user_id}", "http.response.status_code": "200",
		"url.path": "/v1/users/alice", "url.scheme": "http", "server.address": host, "server.port": port,
		"client.address": "127.0.0.1", "network.protocol.version": "1.1", "user_agent.original": "test/1",
		"portico.rpc": "user.v1.UserService/GetUser", "portico.code": "OK",
	} {
		if root[name] != want {
			t.Errorf("%s is %q, not %q", name, root[name], want)
		}
	}

	if got, ok := root["url.query"]; ok {
		t.Errorf("the query %q is in the span", got)
	}

	host, port, _ = strings.Cut(s.backend.Address, ":")
	attempt := attempts(spans, gatewaytest.RPCGetUser)[0].Attributes

	for name, want := range map[string]string{
		"rpc.system.name": "grpc", "rpc.method": "user.v1.UserService/GetUser", "rpc.response.status_code": "OK",
		"server.address": host, "server.port": port,
	} {
		if attempt[name] != want {
			t.Errorf("%s is %q, not %q", name, attempt[name], want)
		}
	}
}

func TestRetriesAreAttempts(t *testing.T) {
	t.Parallel()

	s := start(t, nil)

	var calls atomic.Int64

	s.backend.FailWith(func(context.Context, string) error {
		if calls.Add(1) == 1 {
			return status.Error(codes.Unavailable, "not yet")
		}

		return nil
	})

	_, _, spans := s.traced(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"))
	made := attempts(spans, gatewaytest.RPCGetUser)

	if len(made) != 2 || made[0].Parent != made[1].Parent || !made[0].Failed || made[0].Description != "not yet" || made[1].Failed {
		t.Fatalf("the spans are\n%s", outline(spans))
	}

	if got, want := s.parents()[gatewaytest.RPCGetUser], []string{traceparent(made[0]), traceparent(made[1])}; !slices.Equal(got, want) {
		t.Errorf("the backend got %q, not %q", got, want)
	}

	oteltest.Connected(t, spans, "")
}

func TestRefusals(t *testing.T) { //nolint:tparallel // Likewise.
	t.Parallel()

	s := start(t, nil)

	for name, row := range map[string]struct {
		target string
		header http.Header
		tree   string
		event  string
	}{
		"no_route":  {"/v1/nowhere", s.As(t, "alice"), "GET http.response.status_code=404\n", "portico.problem NOT_FOUND"},
		"no_token":  {"/v1/users/alice", nil, "GET /v1/users/{user_id} http.response.status_code=401\n", "portico.problem UNAUTHENTICATED"},
		"bad_token": {"/v1/users/alice", http.Header{"Authorization": {"Bearer x"}}, "GET http.response.status_code=401\n", "portico.problem UNAUTHENTICATED"},
		"not_his":   {"/v1/users/bob", s.As(t, "alice"), "GET /v1/users/{user_id} http.response.status_code=403\n", "portico.problem PERMISSION_DENIED"},
		"bad_query": {"/v1/users/alice?x=1", s.As(t, "alice"), "GET /v1/users/{user_id} http.response.status_code=400\n", "portico.problem INVALID_ARGUMENT"},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // The last line of the log is that of this request.
			res, line, spans := s.traced(t, http.MethodGet, row.target, row.header)

			if got := outline(spans); got != row.tree || !slices.Equal(spans[0].Events, []string{row.event}) || spans[0].Failed {
				t.Errorf("the span is %+v\n%s", spans[0], got)
			}

			if doc := res.Problem(t); doc["trace_id"] != spans[0].Trace || line["trace_id"] != spans[0].Trace {
				t.Errorf("the problem has the trace %v, the log %v", doc["trace_id"], line["trace_id"])
			}
		})
	}
}

func TestServerErrorsFail(t *testing.T) {
	t.Parallel()

	s := start(t, nil)
	s.backend.FailWith(func(context.Context, string) error { return status.Error(codes.Internal, "disk full") })

	_, _, spans := s.traced(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"))
	root := oteltest.Named(spans, "GET /v1/users/{user_id}")[0]

	if !root.Failed || root.Attributes["error.type"] != "500" || !strings.Contains(root.Description, "disk full") {
		t.Errorf("the span is %+v", root)
	}

	if attempt := attempts(spans, gatewaytest.RPCGetUser)[0]; attempt.Attributes["error.type"] != "INTERNAL" || !attempt.Failed {
		t.Errorf("the attempt is %+v", attempt)
	}
}

func TestCachedResponsesCallNobody(t *testing.T) {
	t.Parallel()

	s := start(t, func(c *config.Config) {
		gatewaytest.SetPolicy(c, "user.v1.UserService.GetUser", gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "60s"}})
	})

	// One token: a response is for those who send the same, and that of the next second is another one.
	alice := s.As(t, "alice")
	_, _, first := s.traced(t, http.MethodGet, "/v1/users/alice", alice)
	_, _, second := s.traced(t, http.MethodGet, "/v1/users/alice", alice)

	const miss, hit = `GET /v1/users/{user_id} http.response.status_code=200
  cache portico.cache.event=miss
    call user.v1.UserService/GetUser rpc.response.status_code=OK
      user.v1.UserService/GetUser portico.attempt=1 rpc.response.status_code=OK
`, `GET /v1/users/{user_id} http.response.status_code=200
  cache portico.cache.event=hit
`

	if diff := cmp.Diff([]string{miss, hit}, []string{outline(first), outline(second)}); diff != "" {
		t.Error(diff)
	}
}

func TestRedisCommandsAreSpans(t *testing.T) {
	t.Parallel()

	s := start(t, func(c *config.Config) {
		c.Redis = config.Redis{URL: redistest.Start(t).URL(), Timeout: 10 * time.Second}
		gatewaytest.SetPolicy(c, "user.v1.UserService.GetUser", gatewaytest.Object{"cache": gatewaytest.Object{"ttl": "60s"}})
	})

	_, _, spans := s.traced(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"))
	oteltest.Connected(t, spans, "")

	commands := 0

	for _, span := range spans {
		if span.Attributes["db.system.name"] == "redis" {
			commands++

			if span.Kind != "CLIENT" || span.Name != span.Attributes["db.operation.name"] || span.Failed {
				t.Errorf("the span is %+v", span)
			}
		}
	}

	// At least the rate limit and the lookup.
	if commands < 2 {
		t.Errorf("%d commands:\n%s", commands, outline(spans))
	}
}

func TestStreamIsOneSpan(t *testing.T) {
	t.Parallel()

	s := start(t, nil)

	res, _, spans := s.traced(t, http.MethodGet, "/v1/orders/o1:watch", s.As(t, "alice"))
	if res.Status != http.StatusOK {
		t.Fatal(res)
	}

	const want = `GET /v1/orders/{order_id}:watch http.response.status_code=200
  call order.v1.OrderService/WatchOrder rpc.response.status_code=OK
    order.v1.OrderService/WatchOrder portico.attempt=1 rpc.response.status_code=OK
`
	if diff := cmp.Diff(want, outline(spans)); diff != "" {
		t.Error(diff)
	}

	call := oteltest.Named(spans, "call order.v1.OrderService/WatchOrder")[0].Attributes
	if call["portico.messages.sent"] != "1" || call["portico.messages.received"] == "0" {
		t.Errorf("the call has %v", call)
	}
}
