package edge_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/config"
)

// table is what routes there are.
func table(escapedPath string) []string {
	switch escapedPath {
	case "/v1/orders":
		return []string{"GET", "HEAD", "POST"}
	case "/v1/orders/a%2Fb":
		return []string{"PATCH"}
	default:
		return nil
	}
}

func TestPreflightIsAnsweredFromTheRouteTable(t *testing.T) {
	t.Parallel()

	const evil = "https://evil.example"

	allowed := func(methods string) map[string]string {
		return map[string]string{
			"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": methods, "Access-Control-Max-Age": "60",
		}
	}
	withHeaders := allowed("GET, HEAD, POST")
	withHeaders["Access-Control-Allow-Headers"] = "Authorization"

	toNothing := allowed("GET")
	toNothing["Access-Control-Allow-Headers"] = "Authorization"

	tests := []struct {
		name, path, origin string
		method, headers    string
		status             int
		want               map[string]string
	}{
		{"method_of_the_path", "/v1/orders", origin, "POST", "", 204, allowed("GET, HEAD, POST")},
		{"method_that_the_path_has_not", "/v1/orders", origin, "DELETE", "", 204, allowed("DELETE, GET, HEAD, POST")},
		{"method_that_nothing_has", "/v1/orders", origin, "TRACE", "", 204, nil},
		{"header_that_may_be_sent", "/v1/orders", origin, "GET", "authorization", 204, withHeaders},
		{"header_that_may_not_be_sent", "/v1/orders", origin, "GET", "x-portico-subject", 204, nil},
		{"escaped_path", "/v1/orders/a%2Fb", origin, "PATCH", "", 204, allowed("PATCH")},
		{"the_same_path_unescaped", "/v1/orders/a/b", origin, "PATCH", "", 204, allowed("PATCH")},
		{"no_such_path", "/v1/nothing", origin, "GET", "authorization", 204, toNothing},
		{"no_such_path_and_a_header_that_may_not_be_sent", "/v1/nothing", origin, "GET", "x-portico-subject", 404, nil},
		{"another_origin", "/v1/orders", evil, "POST", "", 204, nil},
		{"another_origin_and_no_such_path", "/v1/nothing", evil, "POST", "", 404, nil},
		{"empty_origin", "/v1/orders", "", "POST", "", 204, nil},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			var asked []string

			e := layered(&asked)
			e.deps.Methods = table

			r := httptest.NewRequest(http.MethodOptions, tt.path, nil)
			r.Header["Origin"] = []string{tt.origin}
			r.Header.Set("Access-Control-Request-Method", tt.method)

			if tt.headers != "" {
				r.Header.Set("Access-Control-Request-Headers", tt.headers)
			}

			resp := e.do(r, func(http.ResponseWriter, *http.Request) { t.Error("the preflight was passed on") })

			if resp.Code != tt.status || (resp.Body.Len() == 0) != (tt.status == http.StatusNoContent) || asked != nil {
				t.Errorf("got %d %q, asked %q", resp.Code, resp.Body, asked)
			}

			got := map[string]string{}

			for name, values := range resp.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					got[name] = strings.Join(values, "|")
				}
			}

			if tt.want == nil {
				tt.want = map[string]string{}
			}

			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}

			vary := strings.Join(resp.Header().Values("Vary"), ", ")
			if vary != "Origin, Access-Control-Request-Method, Access-Control-Request-Headers" {
				t.Errorf("varies by %s", vary)
			}
		})
	}
}

func TestPreflightWithCredentialsToNowhere(t *testing.T) {
	t.Parallel()

	e := newEdge()
	e.config.CORS = config.CORS{AllowedOrigins: []string{origin}, AllowCredentials: true, MaxAge: time.Minute}
	e.deps.Methods = table

	r := httptest.NewRequest(http.MethodOptions, "/", nil)
	r.Header.Set("Origin", origin)
	r.Header.Set("Access-Control-Request-Method", "GET")

	resp := e.do(r, ok)
	if resp.Code != http.StatusNoContent || resp.Header().Get("Access-Control-Allow-Origin") != origin ||
		resp.Header().Get("Access-Control-Allow-Credentials") != "true" || resp.Header().Get("Access-Control-Allow-Methods") != "GET" {
		t.Errorf("got %d %v", resp.Code, resp.Header())
	}
}

func TestWhatIsNoPreflightIsPassedOn(t *testing.T) {
	t.Parallel()

	const requested = "Access-Control-Request-Method"

	tests := []struct {
		name, method string
		header       http.Header
		marked       bool
	}{
		{"options_alone", "OPTIONS", http.Header{}, false},
		{"options_without_a_method", "OPTIONS", http.Header{"Origin": {origin}}, true},
		{"options_without_an_origin", "OPTIONS", http.Header{requested: {"GET"}}, false},
		{"get_that_names_a_method", "GET", http.Header{"Origin": {origin}, requested: {"GET"}}, true},
		{"get_of_another_origin", "GET", http.Header{"Origin": {"https://evil.example"}}, false},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			e := newEdge()
			e.config.CORS = config.CORS{AllowedOrigins: []string{origin}}
			e.deps.Methods = table

			r := httptest.NewRequest(tt.method, "/nothing", nil)
			r.Header = tt.header

			resp := e.do(r, ok)
			if resp.Code != http.StatusOK || resp.Body.String() != "fine" {
				t.Errorf("got %d %s", resp.Code, resp.Body)
			}

			if got := resp.Header().Get("Access-Control-Allow-Origin"); (got == origin) != tt.marked || !tt.marked && got != "" {
				t.Errorf("allows %q", got)
			}
		})
	}
}
