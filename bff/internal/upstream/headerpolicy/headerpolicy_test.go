package headerpolicy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/internal/reqinfo"
	"github.com/portico-gateway/portico/bff/internal/upstream/headerpolicy"
)

func mustNew(tb testing.TB, request, response []string) *headerpolicy.List {
	tb.Helper()

	l, err := headerpolicy.New(config.Headers{Request: request, Response: response})
	if err != nil {
		tb.Fatal(err)
	}

	return l
}

func TestNamesThatCannotBeListed(t *testing.T) {
	t.Parallel()

	both := []string{
		"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Connection", "HTTP2-Settings",
		"Content-Length", "Content-Type", "Content-Encoding", "X-Request-ID",
		"grpc-timeout", "Grpc-Metadata-X", "grpcgateway-authorization", "Grpc-Trace-Bin", "X-Portico-Subject", "x-portico-anything", "X-Portico-Subject-Bin",
		"", ":path", "X Y", "X\nY", "X:Y", "Ä", "ſerver", "X\x00", "X!Y", "X~",
	}
	request := []string{
		"Authorization", "AUTHORIZATION", "Proxy-Authorization", "Host", "User-Agent", "Traceparent", "Tracestate", "Forwarded",
		"X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-", "X-Real-IP", "True-Client-IP", "X_Portico_Subject", "X_A", "Expect",
	}
	response := []string{
		"Content-Disposition", "Content-Security-Policy", "Date", "Server", "WWW-Authenticate", "Proxy-Authenticate",
		"Access-Control-Allow-Origin", "RateLimit", "RateLimit-Policy", "Retry-After", "Strict-Transport-Security",
		"X-Content-Type-Options", "Referrer-Policy", "Vary", "Allow",
	}

	check := func(side, listed string, err error) {
		t.Helper()

		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("headers.%s[", side)) || !strings.Contains(err.Error(), fmt.Sprintf("]: %q ", listed)) {
			t.Errorf("%s header %q: got %v", side, listed, err)
		}
	}

	for _, listed := range append(request, both...) {
		_, err := headerpolicy.New(config.Headers{Request: []string{"X-Good", listed}})
		check("request", listed, err)
	}

	for _, listed := range append(response, both...) {
		_, err := headerpolicy.New(config.Headers{Response: []string{"X-Good", listed}})
		check("response", listed, err)
	}

	_, err := headerpolicy.New(config.Headers{Request: []string{"Host"}, Response: []string{"Date", "Server"}})
	check("request", "Host", err)
	check("response", "Date", err)
	check("response", "Server", err)
}

func TestNamesThatCanBeListed(t *testing.T) {
	t.Parallel()

	l := mustNew(t,
		[]string{"Cookie", "X-Data-Bin", "ACCEPT-LANGUAGE", "accept-language", "X-Portico", "X-Grpc-A", "X-Binary", "If-Match", "x.y"},
		[]string{"Set-Cookie", "location", "ETAG", "x-data-bin", "X-A", "X-A", "Cache-Control", "Link"})

	tests := []struct {
		metadata, header string
	}{
		{"set-cookie", "Set-Cookie"},
		{"location", "Location"},
		{"etag", "Etag"},
		{"x-data-bin", "X-Data-Bin"},
		{"x-a", "X-A"},
		{"x-b", ""},
		{"content-type", ""},
		{"x-portico-subject", ""},
		{"", ""},
	}

	for _, tt := range tests {
		if got, ok := l.Response()[tt.metadata]; got != tt.header || ok != (tt.header != "") {
			t.Errorf("%s: got %q, %t", tt.metadata, got, ok)
		}
	}
}

func TestCollect(t *testing.T) {
	t.Parallel()

	l := mustNew(t, []string{"X-A"}, nil)

	tests := []struct {
		name, value string
		status      int
		want        string
	}{
		{"listed", "1", 200, ""},
		{"not_printable", "ü", 400, `"code":"INVALID_ARGUMENT"`},
		{"too_large", strings.Repeat("x", 8<<10+1), 431, `"code":"RESOURCE_EXHAUSTED"`},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			rec := &reqinfo.Record{}
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r = r.WithContext(reqinfo.NewContext(r.Context(), rec))
			r.Header.Set("X-A", tt.value)
			r.Header.Set("X-B", "2")

			called := false
			w := httptest.NewRecorder()
			l.Collect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })).ServeHTTP(w, r)

			if w.Code != tt.status || called != (tt.status == http.StatusOK) || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %s, called: %t", w.Code, w.Body, called)
			}

			if got := len(rec.Forward) == 1 && rec.Forward["x-a"][0] == tt.value; got != called {
				t.Errorf("forwards %q", rec.Forward)
			}

			if !called && !strings.Contains(w.Body.String(), "X-A") {
				t.Errorf("does not name the header: %s", w.Body)
			}
		})
	}
}

func ExampleNew() {
	list, err := headerpolicy.New(config.Headers{Request: []string{"Accept-Language"}, Response: []string{"ETag"}})
	fmt.Println(err)

	forward, err := list.Request(http.Header{"Accept-Language": {"de"}, "X-Other": {"1"}})
	fmt.Println(forward, err)

	_, err = headerpolicy.New(config.Headers{Request: []string{"Authorization"}})
	fmt.Println(err)
	// Output:
	// <nil>
	// map[accept-language:[de]] <nil>
	// headers.request[0]: "Authorization" belongs to the gateway
}
