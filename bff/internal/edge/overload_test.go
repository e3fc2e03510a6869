package edge_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/edge/connection"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/problem"
)

// overloaded returns an edge that refuses every request, and fails the test if one gets further in.
func overloaded(t *testing.T) *watched {
	t.Helper()

	e := newEdge()
	e.deps.Overload = func(refusal, _ http.Handler) http.Handler { return refusal }
	e.deps.CountRefusal = func() { e.refused++ }
	e.deps.Identify = func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a refused request was authenticated") })
	}

	return e
}

// with returns a request with header fields.
func with(method string, fields ...string) *http.Request {
	r := httptest.NewRequest(method, "/v1/orders", nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}

	return r
}

func TestRefusalOfAnOverloadedGateway(t *testing.T) {
	t.Parallel()

	e := overloaded(t)
	resp := e.do(with(http.MethodPost, "X-Request-Id", "request-1"), ok).Result()

	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("the status is %d", resp.StatusCode)
	}

	got := map[string]any{}
	if err := json.Unmarshal([]byte(body(t, resp)), &got); err != nil {
		t.Fatal(err)
	}

	want := map[string]any{
		"type": "about:blank", "title": "Service Unavailable", "status": 503.0, "code": "UNAVAILABLE",
		"detail": "the gateway is overloaded at the moment", "request_id": "request-1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("document: %s", diff)
	}

	for name, want := range map[string]string{
		"Content-Type": problem.ContentType, "Retry-After": "1", "Cache-Control": "no-store", "X-Request-Id": "request-1",
		"X-Content-Type-Options": "nosniff",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}

	if diff := cmp.Diff([]string{"POST  503"}, e.samples); diff != "" || e.log.Len() > 0 {
		t.Errorf("counted: %s\nlogged: %s", diff, &e.log)
	}
}

func TestRefusalGetsAnID(t *testing.T) {
	t.Parallel()

	resp := overloaded(t).do(with(http.MethodGet, "X-Request-Id", `"><script>`), ok)

	id := resp.Header().Get("X-Request-Id")
	if len(id) != 26 || !strings.Contains(resp.Body.String(), `"request_id":"`+id+`"`) {
		t.Errorf("the id is %q in %s", id, resp.Body)
	}
}

// The refusal has the form that its client can read.
func TestRefusalIsReadable(t *testing.T) {
	t.Parallel()

	e := overloaded(t)
	e.config.CORS.AllowedOrigins = []string{origin}

	resp := e.do(with(http.MethodGet, "Origin", origin), ok)
	if got := resp.Header().Get("Access-Control-Allow-Origin"); got != origin {
		t.Errorf("a page may not read it: %q", got)
	}

	if resp := e.do(with(http.MethodGet, "Accept", problem.AcceptStatus), ok); !strings.HasPrefix(resp.Body.String(), `{"code":14`) {
		t.Errorf("google.rpc.Status: %d %s", resp.Code, resp.Body)
	}

	if resp := e.do(with(http.MethodGet, "Accept", "text/event-stream"), ok); resp.Code != http.StatusOK ||
		!strings.Contains(resp.Body.String(), "event: reconnect\n") {
		t.Errorf("EventSource: %d %s", resp.Code, resp.Body)
	}
}

// A refusal has the headers that all responses have.
func TestRefusalHasTheHeadersOfAllResponses(t *testing.T) {
	t.Parallel()

	const accept = "Accept"

	edit := problem.WithSettings(problem.Settings{Edit: func(*http.Request, *problem.Problem, error) {}})

	for name, tt := range map[string]struct {
		request  *http.Request
		problems func(http.Handler) http.Handler
		status   int
		policy   string
	}{
		"document":  {with(http.MethodGet), nil, http.StatusServiceUnavailable, ""},
		"cookie":    {with(http.MethodGet, "Cookie", "session=a"), nil, http.StatusServiceUnavailable, noContentPolicy},
		"status":    {with(http.MethodGet, accept, problem.AcceptStatus), nil, http.StatusServiceUnavailable, ""},
		"event":     {with(http.MethodGet, accept, "text/event-stream"), nil, http.StatusOK, noContentPolicy},
		"edited":    {with(http.MethodGet), edit, http.StatusServiceUnavailable, ""},
		"preflight": {with(http.MethodOptions, "Origin", origin, "Access-Control-Request-Method", "PUT"), nil, http.StatusNoContent, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := overloaded(t)
			e.config.CORS.AllowedOrigins = []string{origin}
			e.deps.Problems = tt.problems
			e.deps.Methods = func(string) []string { return []string{http.MethodGet} }
			tt.request.TLS = &tls.ConnectionState{}
			tt.request.Header.Set("X-Request-Id", "request-1")

			resp := e.do(tt.request, ok)
			if resp.Code != tt.status {
				t.Errorf("the status is %d", resp.Code)
			}

			// A preflight gets what it asks for.
			if refused := e.refused == 1; refused == (tt.status == http.StatusNoContent) {
				t.Errorf("%d refusals were counted", e.refused)
			}

			referrer := ""
			if tt.policy != "" {
				referrer = "no-referrer"
			}

			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Strict-Transport-Security": "max-age=31536000",
				"X-Request-Id": "request-1", policyField: tt.policy, referrerField: referrer,
			} {
				if got := strings.Join(resp.Header().Values(name), "|"); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

// A client that is refused by a gateway that is leaving, or has too many connections, connects elsewhere. Once, it stayed.
func TestRefusalAsksToClose(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct {
		leaving bool
		want    string
	}{"leaving": {true, "close"}, "staying": {false, ""}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := overloaded(t)
			e.deps.CloseAfter = connection.New(config.Server{}, func() bool { return tt.leaving }).CloseAfter

			if got := e.do(with(http.MethodGet), ok).Header().Get("Connection"); got != tt.want {
				t.Errorf("Connection: %q, want %q", got, tt.want)
			}
		})
	}
}

// An embedding program may word its problems.
func TestRefusalIsEdited(t *testing.T) {
	t.Parallel()

	e := overloaded(t)
	e.deps.Problems = problem.WithSettings(problem.Settings{
		Edit: func(_ *http.Request, p *problem.Problem, _ error) { p.Detail = "come back later" },
	})

	resp := e.do(with(http.MethodGet, "X-Request-Id", "request-1"), ok)
	for _, want := range []string{`"detail":"come back later"`, `"request_id":"request-1"`} {
		if !strings.Contains(resp.Body.String(), want) {
			t.Errorf("no %s in %s", want, resp.Body)
		}
	}
}

// A client that never sends the body of a refused request does not keep its connection.
func TestRefusalDoesNotWaitForABody(t *testing.T) {
	t.Parallel()

	e := overloaded(t)
	address := strings.TrimPrefix(e.serve(t, ok), "http://")

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}

	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"); err != nil {
		t.Fatal(err)
	}

	// It ends although the body never comes.
	text, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 503 ") {
		t.Errorf("%v: %s", err, text)
	}
}

func BenchmarkRefusal(b *testing.B) {
	e := newEdge()
	e.deps.Overload = func(refusal, _ http.Handler) http.Handler { return refusal }
	e.deps.Metrics = observe.NewMetrics(config.Metrics{})
	handler, r := edge.Wrap(e.config, e.deps, http.HandlerFunc(ok)), with(http.MethodGet)

	b.ReportAllocs()

	for b.Loop() {
		handler.ServeHTTP(discard(http.Header{}), r)
	}
}

// discard is a response that nobody reads.
type discard http.Header

func (d discard) Header() http.Header       { return http.Header(d) }
func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) WriteHeader(int)             {}
