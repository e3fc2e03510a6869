package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/portico-gateway/portico/bff/composite"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/edge"
	"github.com/portico-gateway/portico/bff/internal/observe"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

func TestAccessLogLine(t *testing.T) {
	t.Parallel()

	// What every line says; each test says what is different.
	usual := func(changes map[string]any) map[string]any {
		line := map[string]any{
			"level": "INFO", "msg": "request", "request_id": "req-12345678", "method": "GET", "route": "", "rpc": "", "principal": "",
			"client": "192.0.2.1", "user_agent": "shop/1.2", "protocol": "HTTP/1.1", "status": 200.0, "code": "OK",
			"request_bytes": 0.0, "response_bytes": 4.0, "upstream": "", "calls": 0.0, "attempts": 0.0,
		}
		maps.Copy(line, changes)

		return line
	}

	tests := []struct {
		name string
		next http.HandlerFunc
		want map[string]any
	}{
		{"of_nothing_in_particular", ok, usual(nil)},
		{"of_a_matched_route", func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			rec.Template, rec.Selector = "/v1/orders/{order_id}", "order.v1.OrderService.GetOrder"
			rec.Principal = reqinfo.Principal{Subject: "usr_1"}
			rec.AddUpstream("order")
			rec.AddUpstream("user")
			ok(w, r)
		}, usual(map[string]any{
			"route": "/v1/orders/{order_id}", "rpc": "order.v1.OrderService.GetOrder", "principal": "usr_1", "upstream": "order,user",
		})},
		{"of_a_call", func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			rec.AddUpstream("order")
			rec.AddCall(reqinfo.Call{Upstream: "order", Attempts: 2, Address: "10.0.0.2:9000"})
			ok(w, r)
		}, usual(map[string]any{"upstream": "order", "calls": 1.0, "attempts": 2.0, "upstream_address": "10.0.0.2:9000"})},
		{"of_calls_of_which_one_failed", func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			rec.AddCall(reqinfo.Call{Upstream: "user", Attempts: 1, Address: "10.0.0.1:9000"})
			rec.AddCall(reqinfo.Call{Upstream: "order", Attempts: 3, Address: "10.0.0.2:9000", Code: codes.Unavailable})
			rec.AddCall(reqinfo.Call{Upstream: "order", Attempts: 1, Address: "10.0.0.3:9000", Code: codes.Unavailable})
			ok(w, r)
		}, usual(map[string]any{"calls": 3.0, "attempts": 5.0, "upstream_address": "10.0.0.2:9000"})},
		{"of_several_calls", func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			rec.AddCall(reqinfo.Call{Upstream: "user", Attempts: 1, Address: "10.0.0.1:9000"})
			rec.AddCall(reqinfo.Call{Upstream: "order", Attempts: 1, Address: "10.0.0.2:9000"})
			ok(w, r)
		}, usual(map[string]any{"calls": 2.0, "attempts": 2.0})},
		{"of_a_refusal", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(&lengthless{w}, r, problem.New(codes.ResourceExhausted, "").BecauseOfLimit("principal"), nil)
		}, usual(map[string]any{
			"status": 429.0, "code": "RESOURCE_EXHAUSTED", "response_bytes": 0.0, "reason": "rate_limit", "limit": "principal",
		})},
		{"of_a_refusal_within_a_composite", func(w http.ResponseWriter, r *http.Request) {
			refused := problem.Refusal(errors.New("order: circuit breaker is open"), reqinfo.ReasonBreaker, time.Second)
			err := fmt.Errorf("branch: %w", problem.WithCause(status.New(codes.Unavailable, ""), refused))
			problem.Write(&lengthless{w}, r, problem.From(err), err)
		}, usual(map[string]any{
			"level": "ERROR", "status": 503.0, "code": "UNAVAILABLE", "response_bytes": 0.0, "reason": "breaker",
			"error": "branch: order: circuit breaker is open",
		})},
		{"of_an_error_with_its_cause", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(&lengthless{w}, r, problem.New(codes.Unavailable, ""), errors.New("dial tcp 10.0.0.1:9000"))
		}, usual(map[string]any{
			"level": "ERROR", "status": 503.0, "code": "UNAVAILABLE", "response_bytes": 0.0, "error": "dial tcp 10.0.0.1:9000",
		})},
		{"of_a_mistake_of_the_client", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(&lengthless{w}, r, problem.New(codes.NotFound, ""), nil)
		}, usual(map[string]any{"status": 404.0, "code": "NOT_FOUND", "response_bytes": 0.0})},
		{"of_an_answer_with_missing_parts", func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			rec.Miss("orders", errors.New("connection refused"))
			rec.Miss("profile", &composite.PanicError{Value: "index out of range", Stack: []byte("profile.go:7")})
			ok(w, r)
		}, usual(map[string]any{
			"missing_orders": "connection refused", "missing_profile": "panic: index out of range\nprofile.go:7",
		})},
		{"of_a_panic_in_a_required_part", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(&lengthless{w}, r, problem.New(codes.Internal, ""),
				&composite.PanicError{Value: "nil map", Stack: []byte("user.go:7")})
		}, usual(map[string]any{
			"level": "ERROR", "status": 500.0, "code": "INTERNAL", "response_bytes": 0.0, "error": "panic: nil map\nuser.go:7",
		})},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			e := newEdge()
			r := get("/v1/orders/ord_secret?token=secret")
			r.Header.Set("X-Request-Id", "req-12345678")
			r.Header.Set("Authorization", "Bearer secret")
			r.Header.Set("User-Agent", "shop/1.2")
			e.do(r, tt.next)

			if text := e.log.String(); strings.Contains(text, "secret") || strings.Count(text, "\n") != 1 {
				t.Errorf("path, query and credentials do not belong in the log: %s", text)
			}

			line := e.access(t)
			if _, timed := line["duration_ms"].(float64); !timed {
				t.Errorf("says no duration: %v", line)
			}

			delete(line, "time")
			delete(line, "duration_ms")

			if diff := cmp.Diff(tt.want, line); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The whole line, as an operator sees it.
func TestAccessLogLineAsText(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := newEdge()
		e.deps.Logger = slog.New(borrowing{observe.JSONHandler(e, nil)})

		r := httptest.NewRequest(http.MethodPost, "/v1/orders", strings.NewReader(`{"note":"a"}`))
		r.Header.Set("X-Request-Id", "req-12345678")
		r.Header.Set("User-Agent", "shop/1.2")
		e.do(r, func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			rec.Template, rec.Selector = "/v1/orders", "order.v1.OrderService.CreateOrder"
			rec.Principal = reqinfo.Principal{Subject: "usr_1"}
			rec.AddUpstream("order")
			rec.AddCall(reqinfo.Call{Upstream: "order", Attempts: 2, Address: "10.0.0.2:9000", Code: codes.Unavailable})

			_, _ = io.Copy(io.Discard, r.Body)
			time.Sleep(1234567 * time.Nanosecond)
			problem.Write(&lengthless{w}, r, problem.New(codes.Unavailable, ""), errors.New("connection reset"))
		})

		const want = `{"time":"2000-01-01T00:00:00.001234567Z","level":"ERROR","msg":"request","request_id":"req-12345678",` +
			`"method":"POST","route":"/v1/orders","rpc":"order.v1.OrderService.CreateOrder","principal":"usr_1","client":"192.0.2.1",` +
			`"user_agent":"shop/1.2","protocol":"HTTP/1.1","status":503,"code":"UNAVAILABLE","duration_ms":1.235,` +
			`"request_bytes":12,"response_bytes":0,"upstream":"order","calls":1,"attempts":2,` +
			`"upstream_address":"10.0.0.2:9000","error":"connection reset"}` + "\n"

		got := strings.NewReplacer("+00:00", "Z").Replace(e.log.String())
		if got != want {
			t.Errorf("got  %swant %s", got, want)
		}
	})
}

func TestTextsOfClientsInTheLog(t *testing.T) {
	t.Parallel()

	for name, tt := range map[string]struct{ sent, want string }{
		"none":          {"", ""},
		"usual":         {"Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (X11; Linux x86_64)"},
		"line_ends":     {"a\r\n{\"level\":\"ERROR\"}\x1b[31m", "a  {\"level\":\"ERROR\"} [31m"},
		"other_letters": {"Kühlschrank/2\xff", "Kühlschrank/2\ufffd"},
		"long":          {strings.Repeat("x", 1000), strings.Repeat("x", 200) + "…"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			e := newEdge()
			r := get("/")
			r.Header.Set("User-Agent", tt.sent)
			e.do(r, ok)

			if got := e.access(t)["user_agent"]; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMissingPartsAreCounted(t *testing.T) {
	t.Parallel()

	e := newEdge()
	e.do(get("/v1/me/dashboard"), func(w http.ResponseWriter, r *http.Request) {
		rec := reqinfo.From(r.Context())
		rec.RPC = "/dashboard.v1.DashboardService/GetMyDashboard"
		rec.Miss("orders", fmt.Errorf("branch user: %w", status.Error(codes.NotFound, "no such user")))
		rec.Miss("profile", errors.New("connection refused"))
		ok(w, r)
	})

	want := []string{
		"/dashboard.v1.DashboardService/GetMyDashboard orders NotFound", "/dashboard.v1.DashboardService/GetMyDashboard profile Internal",
	}
	if diff := cmp.Diff(want, e.missing); diff != "" {
		t.Error(diff)
	}
}

// lengthless keeps the body back, whose length these tests do not care for.
type lengthless struct{ http.ResponseWriter }

func (*lengthless) Write(p []byte) (int, error) { return len(p), nil }

func TestStatusInTheLog(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		ended  error
		status int
		want   int
	}{
		{"nothing_written_is_200", nil, 0, 200},
		{"what_was_written", nil, 404, 404},
		{"error_of_ours", nil, 503, 503},
		{"client_that_left_without_an_answer", context.Canceled, 0, 499},
		{"client_that_left_and_what_that_broke", context.Canceled, 503, 499},
		{"client_that_left_as_noted", context.Canceled, 499, 499},
		{"client_that_left_after_the_answer", context.Canceled, 200, 200},
		{"client_that_left_after_a_refusal", context.Canceled, 403, 403},
		{"deadline_is_ours", context.DeadlineExceeded, 504, 504},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			ctx, cancel := context.WithCancel(t.Context())
			if errors.Is(tt.ended, context.DeadlineExceeded) {
				ctx, cancel = context.WithTimeout(t.Context(), 0)
			}

			defer cancel()

			e := newEdge()
			e.do(get("/").WithContext(ctx), func(w http.ResponseWriter, _ *http.Request) {
				if tt.ended != nil {
					cancel()
					<-ctx.Done()
				}

				if tt.status != 0 {
					w.WriteHeader(tt.status)
				}
			})

			line := e.access(t)
			if line["status"] != float64(tt.want) {
				t.Errorf("got %v, want %d", line["status"], tt.want)
			}

			if wrong := line["level"] == "ERROR"; wrong != (tt.want >= 500) {
				t.Errorf("a %d is logged as %v", tt.want, line["level"])
			}
		})
	}
}

func TestClientThatLeaves(t *testing.T) {
	t.Parallel()

	arrived := make(chan struct{})
	e := newEdge()
	next := e.serve(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		problem.Write(w, r, problem.From(r.Context().Err()), r.Context().Err())
	})

	ctx, cancel := context.WithCancel(t.Context())

	go func() {
		<-arrived
		cancel()
	}()

	r, err := http.NewRequestWithContext(ctx, http.MethodGet, next, nil)
	if err != nil {
		t.Fatal(err)
	}

	if resp, err := http.DefaultClient.Do(r); err == nil {
		_ = resp.Body.Close()

		t.Fatal("the client got an answer")
	}

	if line := e.access(t); line["status"] != 499.0 || line["level"] != "INFO" || line["code"] != "CANCELLED" {
		t.Errorf("got %v", line)
	}
}

func TestSampleNamesTheTemplate(t *testing.T) {
	t.Parallel()

	e := newEdge()
	e.do(get("/v1/orders/ord_1"), func(w http.ResponseWriter, r *http.Request) {
		reqinfo.From(r.Context()).Template = "/v1/orders/{order_id}"

		if e.running != 1 {
			t.Errorf("%d requests in flight, want 1", e.running)
		}

		w.WriteHeader(http.StatusTeapot)
	})

	if diff := cmp.Diff([]string{"GET /v1/orders/{order_id} 418"}, e.samples); diff != "" || e.running != 0 {
		t.Errorf("%d in flight at the end; %s", e.running, diff)
	}
}

// retaining is a handler that formats its records later, as handlers of other programs may.
type retaining struct {
	slog.Handler

	records []slog.Record
	values  []any
}

func (*retaining) Enabled(context.Context, slog.Level) bool { return true }

func (h *retaining) Handle(ctx context.Context, r slog.Record) error {
	h.records, h.values = append(h.records, r.Clone()), append(h.values, ctx.Value(retainedKey{}))

	return nil
}

type retainedKey struct{}

// Lines of the gateway's own log are made of attributes that the next request uses again; other handlers get their own.
func TestHandlersMayRetainRecords(t *testing.T) {
	t.Parallel()

	handler := &retaining{}
	e := newEdge()
	e.deps.Logger = slog.New(handler)

	for _, id := range []string{"req-12345678", "req-87654321"} {
		r := get("/").WithContext(context.WithValue(t.Context(), retainedKey{}, id))
		r.Header.Set("X-Request-Id", id)
		e.do(r, ok)
	}

	for i, want := range []string{"req-12345678", "req-87654321"} {
		var id slog.Value

		handler.records[i].Attrs(func(attr slog.Attr) bool {
			id = attr.Value
			return false
		})

		if id.String() != want || handler.values[i] != want || handler.records[i].NumAttrs() != 16 {
			t.Errorf("%d: got %s with %d attributes, and %v", i, id, handler.records[i].NumAttrs(), handler.values[i])
		}
	}
}

func TestLogOfTheGatewayBorrows(t *testing.T) {
	t.Parallel()

	log, err := observe.OpenLog(io.Discard, config.Log{Level: "info"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()

	if _, ok := log.Handler().(edge.BorrowingHandler); !ok {
		t.Errorf("%T is none", log.Handler())
	}
}
