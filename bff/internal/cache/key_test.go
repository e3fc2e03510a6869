package cache_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-gateway/portico/bff/internal/cache"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/schema/pathtemplate"
)

// told answers with all that the handler can learn about the request.
func told(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	rec := reqinfo.From(r.Context())
	_, _ = fmt.Fprintf(w, "%s %s %s %s %q %d %s %v %v %v %s %s %v %v %v", r.Method, r.Host, r.URL, r.RequestURI, body, r.ContentLength,
		r.RemoteAddr, r.TLS, r.Header, rec.Principal, rec.APIKey, rec.Authorization, rec.Client, rec.Forward, rec.PathParams)
}

func forward(name string, values ...string) *reqinfo.Record {
	return as(func(rec *reqinfo.Record) { rec.Forward = map[string][]string{name: values} })
}

// Requests that differ in anything that counts never get each other's answers, in no scope and in no order.
func TestRequestsThatDifferDoNotMix(t *testing.T) {
	t.Parallel()

	param := func(name, value string) *reqinfo.Record {
		return as(func(rec *reqinfo.Record) { rec.PathParams = pathtemplate.Values{{Name: name, Text: value}} })
	}
	path := func(target, id string) call { return call{target: target, rec: param("id", id)} }
	caller := func(change func(p *reqinfo.Principal)) call {
		return call{rec: as(func(rec *reqinfo.Record) { change(&rec.Principal) })}
	}
	post := func(body string) call { return call{method: http.MethodPost, body: body} }
	typed := func(mediaType string) call {
		return call{method: http.MethodPost, body: "{}", header: map[string]string{"Content-Type": mediaType}}
	}
	tenant := func(name string) call { return caller(func(p *reqinfo.Principal) { p.Tenant = name }) }
	query := func(q string) call { return call{target: "/v1/orders/o1?" + q} }

	// What differs within one of these groups counts. Private ones count in private scope only.
	groups := []struct {
		name    string
		private bool
		calls   []call
	}{
		{"query_value", false, []call{query("a=1"), query("a=2"), query("a=1&b=2"), query(""), query("a="), query("A=1"), query("a=1%00")}},
		{"query_values_in_another_order", false, []call{query("a=1&a=2"), query("a=2&a=1"), query("a=1,2"), query("a=1%26a=2")}},
		{"accept_encoding", false, []call{
			{},
			with("Accept-Encoding", "gzip"), with("Accept-Encoding", "zstd"), with("Accept-Encoding", "gzip, zstd"),
		}},
		{"accept", false, []call{{}, with("Accept", "application/json"), with("Accept", "*/*"), with("Accept", "application/json, */*")}},
		{"content_type", false, []call{post("{}"), typed("application/json"), typed("text/json")}},
		{"bound_header", false, []call{{}, with("X-Bound", "1"), with("X-Bound", "2")}},
		{"forwarded_header", false, []call{
			{},
			{rec: forward("x-lang", "de")},
			{rec: forward("x-lang", "en")},
			{rec: forward("x-lang", "d", "e")},
			{rec: forward("x-lang", "de", "en")},
			{rec: forward("x-langd", "e")},
		}},
		{"host", false, []call{{host: "a.example"}, {host: "b.example"}, {host: "a.example:8080"}}},
		{"tenant", false, []call{{}, tenant("acme"), tenant("emca")}},
		{"path_variable", false, []call{path("/v1/orders/o1", "o1"), path("/v1/orders/o2", "o2"), path("/v1/orders/o1%2F2", "o1/2")}},
		{"path_variable_of_the_same_path", false, []call{path("/v1/o", "o1"), path("/v1/o", "o2"), {target: "/v1/o", rec: param("user", "o1")}}},
		{"template", false, []call{{}, {rec: as(func(rec *reqinfo.Record) { rec.Template = "/v2/orders/{id}" })}}},
		{"body", false, []call{post("{}"), post("[]"), post(`{"a":1}`), post("")}},
		{"method", false, []call{{}, {method: http.MethodPost}}},
		{"subject", true, []call{
			{}, caller(func(p *reqinfo.Principal) { p.Subject = "bob" }), caller(func(p *reqinfo.Principal) { p.Subject = "" }),
		}},
		{"issuer", true, []call{
			{},
			caller(func(p *reqinfo.Principal) { p.Issuer = "https://other" }),
			caller(func(p *reqinfo.Principal) { p.Issuer, p.Subject = "https://loginada", "" }),
		}},
		{"scopes", true, []call{
			{},
			caller(func(p *reqinfo.Principal) { p.Scopes = []string{"read", "write"} }), caller(func(p *reqinfo.Principal) { p.Scopes = nil }),
			caller(func(p *reqinfo.Principal) { p.Scopes = []string{"read write"} }),
			caller(func(p *reqinfo.Principal) { p.Scopes, p.Roles = nil, []string{"read"} }),
		}},
		{"roles", true, []call{{}, caller(func(p *reqinfo.Principal) { p.Roles = []string{"admin"} })}},
		{"authorization_that_a_backend_gets", true, []call{
			{},
			{rec: as(func(rec *reqinfo.Record) { rec.Authorization = "Bearer 1" })},
			{rec: as(func(rec *reqinfo.Record) { rec.Authorization = "Bearer 2" })},
		}},
		{"client", true, []call{{}, {rec: as(func(rec *reqinfo.Record) { rec.Client = netip.MustParseAddr("192.0.2.2") })}}},
	}

	for _, group := range groups {
		for _, scope := range []string{"private", "public"} {
			if group.private && scope == "public" {
				continue
			}

			t.Run(group.name+"_"+scope, func(t *testing.T) {
				t.Parallel()

				rule := private()
				rule.Cache.Public = scope == "public"
				rule.Authorization = true
				rt := numbered(t, rule)

				for round := range 2 {
					for i, c := range group.calls {
						if got := strings.TrimSpace(c.to(t, rt).Body.String()); got != fmt.Sprint(i+1) {
							t.Errorf("round %d: call %d has the answer of call %s", round, i+1, got)
						}
					}
				}
			})
		}
	}
}

// Requests that mean the same share an answer.
func TestRequestsThatDoNotDifferShare(t *testing.T) {
	t.Parallel()

	query := func(q string) call { return call{target: "/v1/orders/o1?" + q} }
	other := as(func(rec *reqinfo.Record) {
		*rec = *as(func(*reqinfo.Record) {})
		rec.Principal.Subject, rec.Principal.Issuer, rec.Principal.Scopes, rec.Principal.Roles = "bob", "https://other", nil, []string{"admin"}
		rec.APIKey, rec.Authorization, rec.Client = "k", "Bearer 2", netip.MustParseAddr("192.0.2.9")
	})

	spells := private()
	spells.Accept = func(values []string) string {
		if strings.HasPrefix(strings.ToLower(strings.Join(values, ",")), "text/plain") {
			return "text/plain"
		}

		return ""
	}

	tests := []struct {
		name  string
		rule  cache.Rule
		calls []call
	}{
		{"parameters_in_another_order", private(), []call{query("a=1&b=2"), query("b=2&a=1"), query("&b=%32&&a=1")}},
		{"ignored_parameters", private(), []call{query("a=1"), query("a=1&utm_source=x"), query("utm_medium=y&a=1")}},
		{"no_value_and_an_empty_one", private(), []call{query("a"), query("a=")}},
		{"codings_that_the_gateway_has_not", private(), []call{
			with("Accept-Encoding", "gzip, deflate, br, zstd"), with("Accept-Encoding", "zstd,GZIP,*,identity"),
			with("Accept-Encoding", "zstd;q=0.5, gzip ; Q=0.50, identity;q=0, *;q=0.1"),
		}},
		{"no_codings", private(), []call{
			{},
			with("Accept-Encoding", "identity"), with("Accept-Encoding", "br"), with("Accept-Encoding", "*"), with("Accept-Encoding", "*;q=0"),
			with("Accept-Encoding", "gzip;q=0, zstd;q=0.0"), with("Accept-Encoding", "gzip;q=x"), with("Accept-Encoding", "gzip;q=NaN"),
			with("Accept-Encoding", "gzip;q=2"), with("Accept-Encoding", "gzip;q=0.5, identity"),
		}},
		{"gzip_at_best", private(), []call{
			with("Accept-Encoding", "gzip"), with("Accept-Encoding", "gzip;q=0.1"), with("Accept-Encoding", "zstd;q=0.8, gzip;q=0.9"),
			with("Accept-Encoding", "identity, gzip;q=1.000, zstd;q=0"),
		}},
		{"zstd_at_best", private(), []call{with("Accept-Encoding", "zstd"), with("Accept-Encoding", "gzip;q=0.8, zstd;q=0.9, gzip")}},
		{"accept_as_the_route_spells_it", spells, []call{
			with("Accept", "text/plain"), with("Accept", "TEXT/PLAIN"), with("Accept", "text/plain;q=0.5"),
		}},
		{"accept_of_nothing", spells, []call{{}, with("Accept", "*/*"), with("Accept", "image/png")}},
		{"type_of_no_body", private(), []call{{}, with("Content-Type", "application/json"), with("Content-Type", "text/json")}},
		{"spellings_of_a_path", private(), []call{
			{}, {target: "/v1/orders/%6f1?a=1"}, {target: "/v1/%6Frders/o%31?a=1"},
		}},
		{"head", private(), []call{{}, {rec: as(func(rec *reqinfo.Record) { rec.Head = true })}}},
		{"trace_context", private(), []call{{}, {rec: as(func(rec *reqinfo.Record) {
			rec.Forward = map[string][]string{"traceparent": {"00-1"}, "tracestate": {"a=1"}}
		})}, {rec: forward("traceparent", "00-2")}}},
		{"conditions", private(), []call{
			{},
			with("If-None-Match", `"x"`),
			{rec: forward("if-none-match", `"x"`)},
			with("If-Modified-Since", "x"),
			with("If-Match", "*"), with("If-Match", `"x"`),
			{rec: forward("if-match", `"x"`)},
			with("If-Unmodified-Since", "x"),
			with("Range", "bytes=0-0"), with("If-Range", `"x"`),
			{rec: forward("range", "bytes=0-0")},
		}},
		{"other_headers", private(), []call{{}, with("User-Agent", "curl"), with("Cookie", "a=b"), with("Authorization", "Basic eA==")}},
		{"name_of_the_request", private(), []call{{}, {rec: as(func(rec *reqinfo.Record) { rec.ID = "another-id" })}}},
		{"credentials_of_a_caller", private(), []call{
			{rec: as(func(rec *reqinfo.Record) { rec.Authorization = "Bearer 1" })},
			{rec: as(func(rec *reqinfo.Record) { rec.Authorization = "Bearer 2" })},
			{rec: as(func(rec *reqinfo.Record) { rec.Authorization, rec.Session = "Bearer 3", true })},
			{rec: as(func(rec *reqinfo.Record) { rec.Session = true })},
			{rec: as(func(rec *reqinfo.Record) { rec.APIKey = "k1" })},
			{},
		}},
		{"callers_in_public_scope", public(), []call{{}, {rec: other}, {rec: anonymous()}}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			rt := numbered(t, tt.rule)
			for _, c := range tt.calls {
				c.to(t, rt)
			}

			rt.wants(t, 1)
		})
	}
}

// A client cannot change what others get by what is not in the key, since the handler never sees it.
func TestUnkeyedHeadersDoNotPoison(t *testing.T) {
	t.Parallel()

	poison := map[string]string{
		"X-Forwarded-Host": "evil.example", "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "evil", "X-Original-Url": "/evil", "Forwarded": "host=evil",
		"X-Http-Method-Override": "EVIL", "Grpc-Metadata-Evil": "evil", "Grpc-Timeout": "1n", "User-Agent": "evil", "Cookie": "evil=1",
		"Authorization": "evil", "Origin": "https://evil.example", "Referer": "evil", "Te": "evil", "Transfer-Encoding": "evil", "X-Request-Id": "evil",
		"If-None-Match": `"evil"`, "If-Modified-Since": "evil", "Accept-Language": "evil", "Content-Encoding": "evil", "Connection": "evil",
		"Idempotency-Key": "evil", "Accept-Encoding": "evil", "Cache-Control": "no-transform, evil", "Expect": "evil", "Traceparent": "evil",
	}

	for _, rule := range []cache.Rule{private(), public(), coalesced()} {
		rt := serve(t, rule, told)
		c := call{header: poison, target: "/v1/orders/o1?a=1&utm_evil=evil", rec: as(func(rec *reqinfo.Record) {
			rec.ID = "evil-request-id"
			rec.Forward = map[string][]string{"x-lang": {"de"}, "traceparent": {"evil-trace"}}
		})}
		r := c.request(t.Context())
		r.RemoteAddr, r.TLS, r.Trailer = "6.6.6.6:1", &tls.ConnectionState{ServerName: "evil"}, http.Header{"Evil": nil}
		r.PostForm, r.Form = url.Values{"evil": {"1"}}, url.Values{"evil": {"1"}}

		w := httptest.NewRecorder()
		rt.ServeHTTP(w, r)

		first := w.Body.String()
		if strings.Contains(strings.ReplaceAll(first, "traceparent:[evil-trace]", ""), "evil") || strings.Contains(first, "6.6.6.6") {
			t.Errorf("poisoned: %s", first)
		}

		if rule.Cache.Public && strings.Contains(first, "192.0.2.1") {
			t.Errorf("the address of one in an answer for all: %s", first)
		}

		if !strings.Contains(first, "X-Lang:[de]") || !strings.Contains(first, "x-lang:[de]") {
			t.Errorf("lacks what is forwarded: %s", first)
		}
	}
}

func TestFetchHasWhatCounts(t *testing.T) {
	t.Parallel()

	var got *http.Request

	var body []byte

	rt := serve(t, private(), func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	})
	call{
		method: http.MethodPost, body: `{"a":1}`, target: "/v1/orders%2Fo1?b=2&a=2&a=1&utm_x=1", host: "a.example",
		header: map[string]string{"Accept": "a/b", "Content-Type": "c/d", "X-Bound": "e", "Accept-Encoding": "zstd, br, gzip"},
	}.to(t, rt)

	want := http.Header{"Accept": {"a/b"}, "Content-Type": {"c/d"}, "X-Bound": {"e"}, "Accept-Encoding": {"gzip, zstd"}}
	if !reflect.DeepEqual(got.Header, want) {
		t.Errorf("header %v, want %v", got.Header, want)
	}

	if got.Method != http.MethodPost || got.Host != "a.example" || got.RequestURI != "/v1/orders%2Fo1?a=2&a=1&b=2" ||
		string(body) != `{"a":1}` || got.ContentLength != int64(len(body)) {
		t.Errorf("got %+v %s", got, body)
	}

	if deadline, ok := got.Context().Deadline(); !ok || time.Until(deadline) > 10*time.Second {
		t.Errorf("deadline %s", deadline)
	}
}

// The fetch for an answer for all once had the credentials of the first who asked. That for one caller has the token only if it is
// in the key.
func TestFetchForAllIsNobodys(t *testing.T) {
	t.Parallel()

	rec := as(func(rec *reqinfo.Record) {
		rec.Principal.Roles, rec.Principal.Tenant = []string{"admin"}, "acme"
		rec.APIKey, rec.Authorization = "k1", "Bearer 1"
	})

	forwarding := private()
	forwarding.Authorization = true

	for _, rule := range []cache.Rule{private(), forwarding, public()} {
		var got *reqinfo.Record

		rt := serve(t, rule, func(_ http.ResponseWriter, r *http.Request) { got = reqinfo.From(r.Context()) })
		call{rec: rec}.to(t, rt)

		want, authorization := rec, ""
		if rule.Cache.Public {
			want = &reqinfo.Record{Principal: reqinfo.Principal{Tenant: "acme"}}
		}

		if rule.Authorization {
			authorization = rec.Authorization
		}

		if !reflect.DeepEqual(got.Principal, want.Principal) || got.APIKey != want.APIKey || got.Authorization != authorization ||
			got.Client != want.Client {
			t.Errorf("public %t: fetched for %+v, %q, %q, %s", rule.Cache.Public, got.Principal, got.APIKey, got.Authorization, got.Client)
		}
	}
}

// What the fetch gets of Accept is what the key has, unless the field is bound.
func TestFetchGetsAcceptAsTheRouteSpellsIt(t *testing.T) {
	t.Parallel()

	spells := private()
	spells.Accept = func(values []string) string { return fmt.Sprint("spelled/", len(values)) }
	bound := spells
	bound.Headers = []string{"accept"}

	tests := []struct {
		name string
		rule cache.Rule
		call call
		want []string
	}{
		{"spelled", spells, with("Accept", "a/b"), []string{"spelled/1"}},
		{"spelled_without_any", spells, call{}, []string{"spelled/0"}},
		{"bound", bound, with("Accept", "a/b"), []string{"a/b"}},
		{"let_through", spells, call{rec: forward("accept", "a/b")}, []string{"a/b"}},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var got []string

			rt := serve(t, tt.rule, func(_ http.ResponseWriter, r *http.Request) { got = r.Header["Accept"] })
			tt.call.to(t, rt)

			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWhatCannotBeSharedPasses(t *testing.T) {
	t.Parallel()

	tests := map[string]call{
		"invalid_escape": {target: "/v1/orders/o1?a=%zz"},
		"semicolon":      {target: "/v1/orders/o1?a=1;b=2"},
	}

	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			rt := numbered(t, private())
			for i := range 2 {
				w := c.to(t, rt)
				wants(t, w, http.StatusOK, fmt.Sprint(i+1), "portico; fwd=bypass")
				wantsHeader(t, w, map[string]string{"Cache-Control": "no-store"})
			}

			if rt.count(cache.Bypass) != 2 || rt.count(cache.Stored) != 0 {
				t.Errorf("events %v", rt.seen())
			}
		})
	}
}

func FuzzCanonicalQuery(f *testing.F) {
	for _, query := range []string{"", "a=1&b=2", "b=2&a=1&a=0", "a=%26&%3d=1", "a&&=&b=", "utm_x=1&a=+%20", "a=%zz", "a;b", "ä=ö&\x00"} {
		f.Add(query)
	}

	ignore := func(name string) bool { return strings.HasPrefix(name, "utm_") }

	f.Fuzz(func(t *testing.T, raw string) {
		got, ok := cache.CanonicalQuery(raw, ignore, nil)

		want, err := url.ParseQuery(raw)
		if ok != (err == nil) {
			t.Fatalf("%q: ok %t, but %v", raw, ok, err)
		}

		if !ok {
			return
		}

		maps.DeleteFunc(want, func(name string, _ []string) bool { return ignore(name) })

		// It means the same, to the order of values, and stays as it is.
		parsed, err := url.ParseQuery(got)
		if err != nil || !maps.EqualFunc(parsed, want, slices.Equal[[]string]) {
			t.Errorf("%q became %q: %v, %v", raw, got, parsed, err)
		}

		if again, ok := cache.CanonicalQuery(got, ignore, nil); !ok || again != got {
			t.Errorf("%q became %q and then %q", raw, got, again)
		}

		// And there is no other way to spell it.
		if encoded := want.Encode(); encoded != got {
			t.Errorf("%q became %q, which is %q", raw, got, encoded)
		}
	})
}
