package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

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
			"client": "192.0.2.1", "status": 200.0, "code": "OK", "bytes": 4.0, "upstream": "",
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
			rec.Template, rec.RPC = "/v1/orders/{order_id}", "/order.v1.OrderService/GetOrder"
			rec.Principal = reqinfo.Principal{Subject: "usr_1"}
			rec.AddUpstream("order")
			rec.AddUpstream("user")
			ok(w, r)
		}, usual(map[string]any{
			"route": "/v1/orders/{order_id}", "rpc": "order.v1.OrderService/GetOrder", "principal": "usr_1", "upstream": "order,user",
		})},
		{"of_an_error_with_its_cause", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(&lengthless{w}, r, problem.New(codes.Unavailable, ""), errors.New("dial tcp 10.0.0.1:9000"))
		}, usual(map[string]any{
			"level": "ERROR", "status": 503.0, "code": "UNAVAILABLE", "bytes": 0.0, "error": "dial tcp 10.0.0.1:9000",
		})},
		{"of_a_mistake_of_the_client", func(w http.ResponseWriter, r *http.Request) {
			problem.Write(&lengthless{w}, r, problem.New(codes.NotFound, ""), nil)
		}, usual(map[string]any{"status": 404.0, "code": "NOT_FOUND", "bytes": 0.0})},
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
			"level": "ERROR", "status": 500.0, "code": "INTERNAL", "bytes": 0.0, "error": "panic: nil map\nuser.go:7",
		})},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			e := newEdge()
			r := get("/v1/orders/ord_secret?token=secret")
			r.Header.Set("X-Request-Id", "req-12345678")
			r.Header.Set("Authorization", "Bearer secret")
			e.do(r, tt.next)

			if text := e.log.String(); strings.Contains(text, "secret") || strings.Count(text, "\n") != 1 {
				t.Errorf("path, query and credentials do not belong in the log: %s", text)
			}

			line := e.access(t)
			if _, timed := line["duration"].(float64); !timed {
				t.Errorf("says no duration: %v", line)
			}

			delete(line, "time")
			delete(line, "duration")

			if diff := cmp.Diff(tt.want, line); diff != "" {
				t.Error(diff)
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

		if id.String() != want || handler.values[i] != want || handler.records[i].NumAttrs() != 11 {
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
