package bff_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/config"
)

// Every way in which a request can fail, from the edge to the backend, ends in a problem document.
func TestProblems(t *testing.T) {
	t.Parallel()

	s := startSite(t, func(c *config.Config) { c.Limits.MaxBodyBytes = 2048 })
	for code, rpc := range map[codes.Code]string{
		codes.Internal:           "/user.v1.UserService/CreateUser",
		codes.FailedPrecondition: "/order.v1.OrderService/CancelOrder",
		codes.Unavailable:        "/payment.v1.PaymentService/GetPayment",
	} {
		s.fail[rpc] = status.Error(code, "the disk 7 at 10.0.0.7 is full")
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
				header = s.as(t, "alice")
			}

			if row.contentType != "" {
				header.Set("Content-Type", row.contentType)
			}

			res := s.do(t, row.method, row.path, header, row.body)
			doc := res.problem(t)

			if res.status != row.status || doc["code"] != row.code {
				t.Errorf("got %d %v, want %d %s: %s", res.status, doc["code"], row.status, row.code, res.body)
			}

			if strings.Contains(res.body, "10.0.0.7") != row.leaks {
				t.Errorf("the backend's text: %s", res.body)
			}
		})
	}
}

func TestStreamThatBreaksSaysSo(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)

	res := s.do(t, http.MethodGet, "/v1/shelves/torn/books", s.as(t, "alice"), "")
	if res.status != http.StatusOK || strings.Contains(res.body, "secret") {
		t.Errorf("%d %s", res.status, res.body)
	}

	lines := strings.Split(strings.TrimSpace(res.body), "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[2], `{"error":{"type":"about:blank"`) {
		t.Errorf("got %q", lines)
	}
}

func TestDrainEndsStreams(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/shelves/endless/books", nil)
	if err != nil {
		t.Fatal(err)
	}

	req.Header = s.as(t, "alice")

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

	s.gw.Drain()

	if !scanner.Scan() || !strings.Contains(scanner.Text(), "shutting down") {
		t.Errorf("last line %q", scanner.Text())
	}
}

func TestRateLimitIsPerPrincipal(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	alice := s.as(t, "alice")

	refused := 0

	// The bucket fills up while a busy machine sends the next one.
	for i := 0; i < 300 && refused < 3; i++ {
		res := s.do(t, http.MethodGet, "/v1/me/dashboard", alice, "")
		if res.status != http.StatusTooManyRequests {
			continue
		}

		refused++

		if doc := res.problem(t); doc["code"] != "RESOURCE_EXHAUSTED" {
			t.Errorf("%s", res.body)
		}

		for _, name := range []string{"Retry-After", "Ratelimit", "Ratelimit-Policy", "Ratelimit-Limit", "Ratelimit-Remaining"} {
			if res.header.Get(name) == "" {
				t.Errorf("no %s in %v", name, res.header)
			}
		}
	}

	if refused == 0 {
		t.Error("300 requests passed a limit of 20 at once and 10 per second")
	}

	if res := s.do(t, http.MethodGet, "/v1/me/dashboard", s.as(t, "bob"), ""); res.status != http.StatusOK {
		t.Errorf("bob pays for alice: %d", res.status)
	}
}

func TestCompositeReportsWhatIsMissing(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	s.fail["/order.v1.OrderService/ListOrders"] = status.Error(codes.Unavailable, "dial 10.0.0.7")

	res := s.do(t, http.MethodGet, "/v1/me/dashboard", s.as(t, "alice"), "")
	if res.status != http.StatusOK || strings.Contains(res.body, "10.0.0.7") {
		t.Errorf("%d %s", res.status, res.body)
	}

	var answer struct {
		User          map[string]any
		Profile       map[string]any
		PartialErrors []struct{ Part, Code, Message string }
	}
	if err := json.Unmarshal([]byte(res.body), &answer); err != nil {
		t.Fatal(err)
	}

	if answer.User == nil || answer.Profile == nil || len(answer.PartialErrors) != 1 ||
		answer.PartialErrors[0].Part != "orders" || answer.PartialErrors[0].Code != "UNAVAILABLE" {
		t.Errorf("%s", res.body)
	}

	s.fail["/user.v1.UserService/GetUser"] = status.Error(codes.Unavailable, "dial 10.0.0.8")

	if res := s.do(t, http.MethodGet, "/v1/me/dashboard", s.as(t, "alice"), ""); res.status != http.StatusServiceUnavailable {
		t.Errorf("without user: %d %s", res.status, res.body)
	}
}

func TestPatchDerivesTheMask(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)

	res := s.do(t, http.MethodPatch, "/v1/users/alice", s.as(t, "alice"), `{"displayName":"A","labels":{"x":"y"}}`)
	if res.status != http.StatusOK || !strings.Contains(res.body, `"displayName":"display_name,labels"`) {
		t.Errorf("%d %s", res.status, res.body)
	}
}

func TestOperatorsSeeRequests(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	header := s.as(t, "alice")
	header.Set("X-Request-Id", "from-the-client-1")

	res := s.do(t, http.MethodGet, "/v1/users/alice?utm_source=secret", header, "")
	if got := res.header.Get("X-Request-Id"); got != "from-the-client-1" {
		t.Errorf("X-Request-Id %q", got)
	}

	eventually(t, "the log line", func() bool { return strings.Contains(s.logs.String(), `"msg":"request"`) })

	var line map[string]any
	for text := range strings.Lines(s.logs.String()) {
		if strings.Contains(text, `"msg":"request"`) {
			if err := json.Unmarshal([]byte(text), &line); err != nil {
				t.Fatal(err)
			}
		}
	}

	for field, want := range map[string]any{
		"request_id": "from-the-client-1", "method": "GET", "route": "/v1/users/{user_id}", "rpc": "user.v1.UserService/GetUser",
		"principal": "alice", "client": "127.0.0.1", "status": 200.0, "code": "OK", "upstream": "user", "bytes": float64(len(res.body)),
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}

	metrics := adminGet(t, s.gw, "/metrics")
	for _, want := range []string{
		`portico_http_requests_total{method="GET",route="/v1/users/{user_id}",status="200"} 1`,
		`portico_upstream_calls_total{code="OK",rpc="/user.v1.UserService/GetUser",upstream="user"} 1`,
		`portico_upstream_breaker_state{upstream="user"} 0`,
	} {
		if !strings.Contains(metrics.body, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}

	for path, want := range map[string]int{"/livez": 200, "/readyz": 200, "/upstreams": 200, "/debug/pprof/": 200, "/": 404} {
		if got := adminGet(t, s.gw, path); got.status != want {
			t.Errorf("%s: %d", path, got.status)
		}
	}

	s.gw.Drain()

	if got := adminGet(t, s.gw, "/readyz"); got.status != http.StatusServiceUnavailable {
		t.Errorf("/readyz while draining: %d", got.status)
	}
}

func TestClientsDoNotSeeWhatOperatorsSee(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	for _, path := range []string{"/metrics", "/livez", "/readyz", "/debug/pprof/", "/upstreams"} {
		if res := s.do(t, http.MethodGet, path, s.as(t, "alice"), ""); res.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, res.status)
		}
	}
}
