package idempotency_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/idempotency"
	"github.com/portico-gateway/portico/bff/internal/problem"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
)

const rpc = "/order.v1.OrderService/CreateOrder"

// call is a request; what is not set is as in most tests.
type call struct {
	keys        []string // Nil: one key. Empty: none.
	method      string
	target      string
	body        string
	contentType string
	encoding    string
	header      http.Header
	rec         *reqinfo.Record
}

func ada() *reqinfo.Record {
	return &reqinfo.Record{Principal: reqinfo.Principal{Subject: "ada", Issuer: "https://login"}, Client: netip.MustParseAddr("192.0.2.1")}
}

func from(addr string) *reqinfo.Record { return &reqinfo.Record{Client: netip.MustParseAddr(addr)} }

// forwarding is a record of ada with a header that backends get.
func forwarding(name, value string) *reqinfo.Record {
	rec := ada()
	rec.Forward = map[string][]string{name: {value}}

	return rec
}

// detailed is the rule of a route for which a good deal of the request counts.
func detailed() idempotency.Rule {
	return idempotency.Rule{
		RPC: rpc, TTL: time.Hour, Headers: []string{"x-account", "x-other", "idempotency-key"},
		Accept: func(values []string) string { return strings.Join(values, ",") },
	}
}

func (c call) request(ctx context.Context) *http.Request {
	or := func(text, other string) string {
		if text == "" {
			return other
		}

		return text
	}

	if c.rec == nil {
		c.rec = ada()
	}

	r := httptest.NewRequestWithContext(reqinfo.NewContext(ctx, c.rec), or(c.method, http.MethodPost), or(c.target, "/v1/orders?a=1"),
		strings.NewReader(or(c.body, `{"item":1}`)))
	r.Header.Set("Content-Type", or(c.contentType, "application/json"))

	if c.encoding != "" {
		r.Header.Set("Content-Encoding", c.encoding)
	}

	maps.Copy(r.Header, c.header)

	if c.keys == nil {
		c.keys = []string{`"key-1"`}
	}

	for _, key := range c.keys {
		r.Header.Add(idempotency.Header, key)
	}

	return r
}

func (c call) to(tb testing.TB, h http.Handler) *httptest.ResponseRecorder {
	tb.Helper()

	w := httptest.NewRecorder()
	h.ServeHTTP(w, c.request(tb.Context()))

	return w
}

// counter counts the calls of a handler.
type counter struct {
	http.Handler

	calls atomic.Int64
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.calls.Add(1)
	c.Handler.ServeHTTP(w, r)
}

// handled is a counter of calls to f, and the route in front of it, over a store of its own.
func handled(f http.HandlerFunc) (*counter, http.Handler) {
	return over(idempotency.NewMemory(64<<20), f)
}

func over(store idempotency.Store, f http.HandlerFunc) (*counter, http.Handler) {
	c := &counter{Handler: f}

	return c, idempotency.New(store).Route(idempotency.Rule{RPC: rpc, Required: true, TTL: time.Hour})(c)
}

func create(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(`{"id":1}`))
}

func (c *counter) want(tb testing.TB, calls int64) {
	tb.Helper()

	if got := c.calls.Load(); got != calls {
		tb.Errorf("handler called %d times, want %d", got, calls)
	}
}

func wantStatus(tb testing.TB, w *httptest.ResponseRecorder, status int, replayed bool) {
	tb.Helper()

	if got := w.Header().Get("Idempotency-Replayed") == "true"; w.Code != status || got != replayed {
		tb.Errorf("status %d, replayed %t; want %d, %t: %s", w.Code, got, status, replayed, w.Body)
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
