package translation_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Every way in which a request can fail, from the edge to the backend, ends in a problem document.
func TestProblems(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) { c.Limits.MaxBodyBytes = 2048 })
	for code, rpc := range map[codes.Code]string{
		codes.Internal:           "/user.v1.UserService/CreateUser",
		codes.FailedPrecondition: "/order.v1.OrderService/CancelOrder",
		codes.Unavailable:        "/payment.v1.PaymentService/GetPayment",
	} {
		s.Fail[rpc] = status.Error(code, "the disk 7 at 10.0.0.7 is full")
	}

	for _, row := range []struct {
		name, method, path, body, contentType string
		anonymous                             bool
		status                                int
		code                                  string
		leaks                                 bool
	}{
		{name: "no_token", method: "GET", path: "/v1/users/alice", anonymous: true, status: 401, code: "UNAUTHENTICATED"},
		{name: "unknown_path", method: "GET", path: "/v1/nowhere", status: 404, code: "NOT_FOUND"},
		{name: "unknown_path_without_token", method: "GET", path: "/v1/nowhere", anonymous: true, status: 404, code: "NOT_FOUND"},
		{name: "another_user", method: "GET", path: "/v1/users/bob", status: 403, code: "PERMISSION_DENIED"},
		{name: "a_scope_is_missing", method: "GET", path: "/v1/users", status: 403, code: "PERMISSION_DENIED"},
		{name: "wrong_method", method: "PUT", path: "/v1/users/alice", status: 405, code: "UNIMPLEMENTED"},
		{
			name: "body_too_large", method: "POST", path: "/v1/orders", body: `{"note":"` + strings.Repeat("x", 4096) + `"}`,
			status: 413, code: "OUT_OF_RANGE",
		},
		{name: "form", method: "POST", path: "/v1/orders", body: "a=b", contentType: "text/plain", status: 415, code: "INVALID_ARGUMENT"},
		{name: "not_json", method: "POST", path: "/v1/orders", body: `{"note":`, status: 400, code: "INVALID_ARGUMENT"},
		{name: "after_the_json", method: "POST", path: "/v1/orders", body: `{} {}`, status: 400, code: "INVALID_ARGUMENT"},
		{name: "unknown_field", method: "POST", path: "/v1/orders", body: `{"notes":"x"}`, status: 400, code: "INVALID_ARGUMENT"},
		{name: "wrong_type", method: "POST", path: "/v1/orders", body: `{"note":7}`, status: 400, code: "INVALID_ARGUMENT"},
		{
			name: "wrong_query_type", method: "GET", path: "/v1/users/alice/orders?page_size=x", status: 400, code: "INVALID_ARGUMENT",
		},
		{
			name: "backend_refuses", method: "POST", path: "/v1/orders/o:cancel", body: "{}", status: 400, code: "FAILED_PRECONDITION",
			leaks: true,
		},
		{name: "backend_is_down", method: "GET", path: "/v1/payments/p", status: 503, code: "UNAVAILABLE"},
		{name: "stream_fails_first", method: "GET", path: "/v1/shelves/none/books", status: 404, code: "NOT_FOUND"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()

			header := http.Header{}
			if !row.anonymous {
				header = s.As(t, "alice")
			}

			if row.contentType != "" {
				header.Set("Content-Type", row.contentType)
			}

			res := s.Do(t, row.method, row.path, header, row.body)
			doc := res.Problem(t)

			if res.Status != row.status || doc["code"] != row.code {
				t.Errorf("got %d %v, want %d %s: %s", res.Status, doc["code"], row.status, row.code, res.Body)
			}

			if strings.Contains(res.Body, "10.0.0.7") != row.leaks {
				t.Errorf("the backend's text: %s", res.Body)
			}
		})
	}
}

func TestStreamThatBreaksSaysSo(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	res := s.Do(t, http.MethodGet, "/v1/shelves/torn/books", s.As(t, "alice"), "")
	if res.Status != http.StatusOK || strings.Contains(res.Body, "secret") {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	lines := strings.Split(strings.TrimSpace(res.Body), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[2], `{"error":{"type":"about:blank"`) {
		t.Errorf("got %q", lines)
	}
}

func TestDrainEndsStreams(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/v1/shelves/endless/books", nil)
	if err != nil {
		t.Fatal(err)
	}

	req.Header = s.As(t, "alice")

	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()

	scanner := bufio.NewScanner(res.Body)
	for range 2 {
		if !scanner.Scan() {
			t.Fatal("the stream ended early")
		}
	}

	s.Gateway.Drain()

	if !scanner.Scan() || !strings.Contains(scanner.Text(), "shutting down") {
		t.Errorf("last line %q", scanner.Text())
	}
}

func TestRateLimitIsPerPrincipal(t *testing.T) {
	t.Parallel()

	// So low that a busy machine reaches it.
	const requests = 3

	s := gatewaytest.Start(t, func(c *config.Config) {
		gatewaytest.SetPolicy(c, "dashboard.v1.DashboardService.GetMyDashboard", gatewaytest.Object{"rate_limits": []any{
			gatewaytest.Object{"requests": requests, "per": "3600s"},
		}})
	})
	alice := s.As(t, "alice")

	for i := range requests {
		if res := s.Do(t, http.MethodGet, "/v1/me/dashboard", alice, ""); res.Status != http.StatusOK {
			t.Errorf("request %d: %d", i+1, res.Status)
		}
	}

	res := s.Do(t, http.MethodGet, "/v1/me/dashboard", alice, "")
	if res.Status != http.StatusTooManyRequests {
		t.Fatalf("request %d of %d in an hour: %d", requests+1, requests, res.Status)
	}

	if doc := res.Problem(t); doc["code"] != "RESOURCE_EXHAUSTED" {
		t.Errorf("%s", res.Body)
	}

	for _, name := range []string{"Retry-After", "Ratelimit", "Ratelimit-Policy"} {
		if res.Header.Get(name) == "" {
			t.Errorf("no %s in %v", name, res.Header)
		}
	}

	if res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "bob"), ""); res.Status != http.StatusOK {
		t.Errorf("bob pays for alice: %d", res.Status)
	}
}

func TestCompositeReportsWhatIsMissing(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	s.Fail["/order.v1.OrderService/ListOrders"] = status.Error(codes.Unavailable, "dial 10.0.0.7")

	res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), "")
	if res.Status != http.StatusOK || strings.Contains(res.Body, "10.0.0.7") {
		t.Errorf("%d %s", res.Status, res.Body)
	}

	var answer struct {
		User          map[string]any
		Profile       map[string]any
		PartialErrors []struct{ Part, Code, Message string }
	}
	if err := json.Unmarshal([]byte(res.Body), &answer); err != nil {
		t.Fatal(err)
	}

	if answer.User == nil || answer.Profile == nil || len(answer.PartialErrors) != 1 ||
		answer.PartialErrors[0].Part != "orders" || answer.PartialErrors[0].Code != "UNAVAILABLE" {
		t.Errorf("%s", res.Body)
	}

	s.Fail["/user.v1.UserService/GetUser"] = status.Error(codes.Unavailable, "dial 10.0.0.8")

	if res := s.Do(t, http.MethodGet, "/v1/me/dashboard", s.As(t, "alice"), ""); res.Status != http.StatusServiceUnavailable {
		t.Errorf("without user: %d %s", res.Status, res.Body)
	}
}

func TestPatchDerivesTheMask(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	res := s.Do(t, http.MethodPatch, "/v1/users/alice", s.As(t, "alice"), `{"displayName":"A","labels":{"x":"y"}}`)
	if res.Status != http.StatusOK || !strings.Contains(res.Body, `"displayName":"display_name,labels"`) {
		t.Errorf("%d %s", res.Status, res.Body)
	}
}

func TestOperatorsSeeRequests(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	header := s.As(t, "alice")
	header.Set("X-Request-Id", "from-the-client-1")

	res := s.Do(t, http.MethodGet, "/v1/users/alice?utm_source=secret", header, "")
	if got := res.Header.Get("X-Request-Id"); got != "from-the-client-1" {
		t.Errorf("X-Request-Id %q", got)
	}

	gatewaytest.Eventually(t, "the log line", func() bool { return strings.Contains(s.Logs.String(), `"msg":"request"`) })

	var line map[string]any
	for text := range strings.Lines(s.Logs.String()) {
		if strings.Contains(text, `"msg":"request"`) {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}

	for field, want := range map[string]any{
		"request_id": "from-the-client-1", "method": "GET", "route": "/v1/users/{user_id}", "rpc": "user.v1.UserService.GetUser",
		"principal": "alice", "client": "127.0.0.1", "status": 200.0, "code": "OK", "upstream": "user", "calls": 1.0, "attempts": 1.0,
		"response_bytes": float64(len(res.Body)),
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}

	metrics := gatewaytest.AdminGet(t, s.Gateway, "/metrics")
	for _, want := range []string{
		`portico_http_requests_total{method="GET",route="/v1/users/{user_id}",status="200"} 1`,
		`portico_upstream_calls_total{code="OK",rpc="user.v1.UserService.GetUser",upstream="user"} 1`,
		`portico_upstream_breaker_state{upstream="user"} 0`,
	} {
		if !strings.Contains(metrics.Body, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}

	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/upstreams": 200, "/debug/pprof/": 200, "/": 303, "/nowhere": 404} {
		if got := gatewaytest.AdminGet(t, s.Gateway, path); got.Status != want {
			t.Errorf("%s: %d", path, got.Status)
		}
	}

	s.Gateway.Drain()

	if got := gatewaytest.AdminGet(t, s.Gateway, "/readyz"); got.Status != http.StatusServiceUnavailable {
		t.Errorf("/readyz while draining: %d", got.Status)
	}
}

func TestClientsDoNotSeeWhatOperatorsSee(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	for _, path := range []string{"/metrics", "/livez", "/readyz", "/debug/pprof/", "/upstreams"} {
		if res := s.Do(t, http.MethodGet, path, s.As(t, "alice"), ""); res.Status != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.Status)
		}
	}
}
