package cache_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/policy"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

const rpc = "/order.v1.OrderService/GetOrder"

func private() cache.Rule {
	return cache.Rule{
		RPC: rpc, Cache: policy.Cache{TTL: time.Minute}, Timeout: 10 * time.Second, Headers: []string{"X-Bound"},
		Vary: []string{"accept-language"}, Ignore: func(name string) bool { return strings.HasPrefix(name, "utm_") },
	}
}

func public() cache.Rule {
	rule := private()
	rule.Cache.Public, rule.Public = true, true

	return rule
}

func tagged() cache.Rule {
	rule := private()
	rule.Cache.Tags = make([]policy.Tag, 1)

	return rule
}

func coalesced() cache.Rule {
	rule := private()
	rule.Cache.TTL = 0

	return rule
}

// route is a handler behind a cache, and what became of requests to it.
type route struct {
	*cache.Cache
	http.Handler

	calls atomic.Int64

	mu     sync.Mutex
	events map[cache.Event]int
}

// serve puts a cache over a memory of its own in front of the handler.
func serve(tb testing.TB, rule cache.Rule, f http.HandlerFunc) *route {
	tb.Helper()

	return over(tb, memory(tb, 64<<20), rule, f)
}

func over(tb testing.TB, store cache.Store, rule cache.Rule, f http.HandlerFunc) *route {
	tb.Helper()

	rt := &route{events: map[cache.Event]int{}}
	rt.Cache = cache.New(store, func(name string, event cache.Event) {
		rt.mu.Lock()
		defer rt.mu.Unlock()

		rt.events[event]++

		if name != rpc && name != "" {
			tb.Errorf("event of %q", name)
		}
	})
	rt.Handler = rt.Route(rule)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rt.calls.Add(1)
		f(w, r)
	}))
	tb.Cleanup(rt.Close)

	return rt
}

func (rt *route) wants(tb testing.TB, calls int64) {
	tb.Helper()

	if got := rt.calls.Load(); got != calls {
		tb.Errorf("handler called %d times, want %d", got, calls)
	}
}

func (rt *route) count(event cache.Event) int {
	rt.mu.Lock()
	defer rt.mu.Unlock()

	return rt.events[event]
}

// seen are the events so far. A refresh may still go on.
func (rt *route) seen() map[cache.Event]int {
	rt.mu.Lock()
	defer rt.mu.Unlock()

	return maps.Clone(rt.events)
}

// numbered answers with the number of the call.
func numbered(tb testing.TB, rule cache.Rule) *route {
	tb.Helper()

	var n atomic.Int64

	return serve(tb, rule, func(w http.ResponseWriter, r *http.Request) {
		cache.Tag(r.Context(), []string{"t"}, true)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(n.Add(1))
	})
}

// call is a request; what is not set is as in most tests.
type call struct {
	method string
	target string
	host   string
	body   string
	header map[string]string
	rec    *reqinfo.Record
}

func ada() *reqinfo.Record {
	return &reqinfo.Record{
		ID: "request-ada", Principal: reqinfo.Principal{Subject: "ada", Issuer: "https://login", Scopes: []string{"read"}},
		Client: netip.MustParseAddr("192.0.2.1"), Template: "/v1/orders/{id}", RPC: rpc, PathParams: pathtemplate.Values{{Name: "id", Text: "o1"}},
	}
}

// as is ada with something else about her.
func as(change func(rec *reqinfo.Record)) *reqinfo.Record {
	rec := ada()
	change(rec)

	return rec
}

func anonymous() *reqinfo.Record {
	return as(func(rec *reqinfo.Record) { rec.Principal = reqinfo.Principal{} })
}

func (c call) request(ctx context.Context) *http.Request {
	if c.rec == nil {
		c.rec = ada()
	}

	if c.method == "" {
		c.method = http.MethodGet
	}

	if c.target == "" {
		c.target = "/v1/orders/o1?a=1"
	}

	r := httptest.NewRequestWithContext(reqinfo.NewContext(ctx, c.rec), c.method, c.target, strings.NewReader(c.body))
	if c.body == "" {
		r.Body = http.NoBody
	}

	if c.host != "" {
		r.Host = c.host
	}

	for name, value := range c.header {
		r.Header.Set(name, value)
	}

	return r
}

// to sends the request, as it comes from the edge.
func (c call) to(tb testing.TB, h http.Handler) *httptest.ResponseRecorder {
	tb.Helper()

	return c.with(tb.Context(), h)
}

func (c call) with(ctx context.Context, h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Request-Id", "outer")
	h.ServeHTTP(w, c.request(ctx))

	return w
}

func with(name, value string) call { return call{header: map[string]string{name: value}} }

// wants an answer with this status in Cache-Status.
func wants(tb testing.TB, w *httptest.ResponseRecorder, status int, body, cacheStatus string) {
	tb.Helper()

	if got := strings.TrimSpace(w.Body.String()); w.Code != status || got != body {
		tb.Errorf("got %d %q, want %d %q", w.Code, got, status, body)
	}

	if got := strings.Join(w.Header().Values("Cache-Status"), ", "); got != cacheStatus {
		tb.Errorf("Cache-Status: %s; want %s", got, cacheStatus)
	}
}

func wantsHeader(tb testing.TB, w *httptest.ResponseRecorder, want map[string]string) {
	tb.Helper()

	for name, value := range want {
		if got := strings.Join(w.Header().Values(name), "|"); got != value {
			tb.Errorf("%s: got %q, want %q", name, got, value)
		}
	}
}

func document(tb testing.TB, w *httptest.ResponseRecorder) problem.Problem {
	tb.Helper()

	var p problem.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != problem.ContentType {
		tb.Errorf("no problem: %s", w.Body)
	}

	return p
}
