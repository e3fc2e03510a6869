package edge_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const origin = "https://app.example.com"

// layered is an edge with all of its layers. The client limit and the identification refuse those who ask for it, and note that they
// were asked.
func layered(asked *[]string) *watched {
	e := newEdge()
	e.config.CORS = config.CORS{AllowedOrigins: []string{origin}, AllowedHeaders: []string{"Authorization"}, MaxAge: time.Minute}

	layer := func(name string, refusal *problem.Problem) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				*asked = append(*asked, name)

				switch r.Header.Get("X-Test") {
				case name + " refuses":
					problem.Write(w, r, refusal, nil)
				case name + " panics":
					panic(name)
				default:
					next.ServeHTTP(w, r)
				}
			})
		}
	}

	e.deps.ClientLimit = layer("limit", problem.New(codes.ResourceExhausted, ""))
	e.deps.Identify = layer("identify", problem.New(codes.Unauthenticated, ""))

	return e
}

// A layer is outside of another if it does its work also when that one refuses.
func TestOrderOfTheLayers(t *testing.T) {
	t.Parallel()

	tests := []struct {
		name   string
		method string
		header map[string]string
		status int
		asked  []string
	}{
		{"all_let_through", "GET", nil, 200, []string{"limit", "identify", "next"}},
		{"next_panics", "GET", map[string]string{"X-Test": "next panics"}, 500, []string{"limit", "identify", "next"}},
		{"identify_refuses", "GET", map[string]string{"X-Test": "identify refuses"}, 401, []string{"limit", "identify"}},
		{"identify_panics", "GET", map[string]string{"X-Test": "identify panics"}, 500, []string{"limit", "identify"}},
		{"limit_refuses_before_credentials_are_looked_at", "GET", map[string]string{"X-Test": "limit refuses"}, 429, []string{"limit"}},
		{"limit_panics", "GET", map[string]string{"X-Test": "limit panics"}, 500, []string{"limit"}},
		{
			"preflight_costs_nothing", "OPTIONS",
			map[string]string{"Access-Control-Request-Method": "GET", "X-Test": "limit refuses"},
			200, nil,
		},
		{
			"request_that_only_looks_like_a_preflight", "OPTIONS",
			map[string]string{"X-Test": "limit refuses"},
			429,
			[]string{"limit"},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var asked []string

			e := layered(&asked)
			r := httptest.NewRequest(tt.method, "/v1/orders", nil)
			r.Header.Set("Origin", origin)
			r.Header.Set("X-Request-Id", "req-12345678")

			for name, value := range tt.header {
				r.Header.Set(name, value)
			}

			resp := e.do(r, func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, "next")

				if r.Header.Get("X-Test") == "next panics" {
					panic("next")
				}

				ok(w, r)
			})

			if resp.Code != tt.status {
				t.Errorf("status: got %d, want %d", resp.Code, tt.status)
			}

			if diff := cmp.Diff(tt.asked, asked); diff != "" {
				t.Errorf("layers that were asked: %s", diff)
			}

			// These are outside of all that can refuse.
			for name, want := range map[string]string{
				"X-Request-Id": "req-12345678", "X-Content-Type-Options": "nosniff", "Access-Control-Allow-Origin": origin,
			} {
				if got := resp.Header().Get(name); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}

			line := e.access(t)
			if line["status"] != float64(tt.status) || line["request_id"] != "req-12345678" || line["client"] != "192.0.2.1" {
				t.Errorf("the log says %v", line)
			}

			if len(e.samples) != 1 || e.running != 0 {
				t.Errorf("counted %v, %d still running", e.samples, e.running)
			}

			if tt.status >= 400 && !strings.Contains(resp.Body.String(), `"request_id":"req-12345678"`) {
				t.Error("the problem does not name the request")
			}
		})
	}
}

func TestInnerLayersFindTheRecordComplete(t *testing.T) {
	t.Parallel()

	e := newEdge()
	e.config.Limits.MaxBodyBytes = 77
	e.deps.Identify = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := reqinfo.From(r.Context())
			if rec.ID == "" || rec.Start.IsZero() || rec.Client.String() != "192.0.2.1" || rec.BodyLimit != 77 {
				t.Errorf("got %+v", rec)
			}

			next.ServeHTTP(w, r)
		})
	}
	e.do(get("/"), ok)
}

func TestOptionalLayersAreLeftOut(t *testing.T) {
	t.Parallel()

	resp := newEdge().do(get("/"), ok)
	if resp.Code != http.StatusOK || resp.Body.String() != "fine" {
		t.Errorf("got %d", resp.Code)
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()

	on := config.CORS{
		AllowedOrigins: []string{origin, "https://*.partner.example"}, AllowedHeaders: []string{"Authorization", "Content-Type"},
		MaxAge: 10 * time.Minute,
	}
	withCredentials := on
	withCredentials.AllowCredentials = true

	preflight := map[string]string{"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}

	tests := []struct {
		name   string
		cors   config.CORS
		method string
		origin string
		header map[string]string
		want   map[string]string
	}{
		{"off_by_default", config.CORS{}, "GET", origin, nil, map[string]string{"Access-Control-Allow-Origin": "", "Vary": ""}},
		{"no_preflight_by_default", config.CORS{}, "OPTIONS", origin, preflight, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "",
		}},
		{"allowed_origin", on, "GET", origin, nil, map[string]string{
			"Access-Control-Allow-Origin": origin, "Vary": "Origin", "Access-Control-Allow-Credentials": "",
			"Access-Control-Expose-Headers": "X-Request-Id, Retry-After, Ratelimit, Ratelimit-Policy, Location, Link, Etag, Allow, " +
				"Idempotency-Replayed, Server-Timing",
		}},
		{"origin_by_pattern", on, "GET", "https://shop.partner.example", nil, map[string]string{
			"Access-Control-Allow-Origin": "https://shop.partner.example",
		}},
		{"other_origin", on, "GET", "https://evil.example", nil, map[string]string{"Access-Control-Allow-Origin": "", "Vary": "Origin"}},
		{"origin_that_only_begins_so", on, "GET", origin + ".evil.example", nil, map[string]string{"Access-Control-Allow-Origin": ""}},
		{"origin_of_another_scheme", on, "GET", "http://app.example.com", nil, map[string]string{"Access-Control-Allow-Origin": ""}},
		{"credentials", withCredentials, "GET", origin, nil, map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true",
		}},
		{"preflight", on, "OPTIONS", origin, preflight, map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "PATCH",
			"Access-Control-Allow-Headers": "Authorization", "Access-Control-Max-Age": "600",
		}},
		{"preflight_of_another_origin", on, "OPTIONS", "https://evil.example", preflight, map[string]string{
			"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": "",
		}},
		{
			"preflight_for_another_header", on, "OPTIONS", origin,
			map[string]string{"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-portico-subject"},
			map[string]string{"Access-Control-Allow-Origin": "", "Access-Control-Allow-Methods": ""},
		},
		{
			"preflight_for_a_method_that_no_route_has", on, "OPTIONS", origin,
			map[string]string{"Access-Control-Request-Method": "TRACE"},
			map[string]string{"Access-Control-Allow-Methods": ""},
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			e := newEdge()
			e.config.CORS = tt.cors

			r := httptest.NewRequest(tt.method, "/v1/orders", nil)
			r.Header.Set("Origin", tt.origin)

			for name, value := range tt.header {
				r.Header.Set(name, value)
			}

			resp := e.do(r, ok)
			for name, want := range tt.want {
				if got := strings.Join(resp.Header().Values(name), "|"); got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

// Streams need it.
func TestFlushReachesTheClient(t *testing.T) {
	t.Parallel()

	release := make(chan struct{})
	url := newEdge().serve(t, func(w http.ResponseWriter, r *http.Request) {
		ok(w, r)

		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}

		<-release
	})

	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}

	defer resp.Body.Close()

	first := make([]byte, 4)
	if _, err := io.ReadFull(resp.Body, first); err != nil || string(first) != "fine" {
		t.Errorf("got %q, %v", first, err)
	}

	close(release)
}
