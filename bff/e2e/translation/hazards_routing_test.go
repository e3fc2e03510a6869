package translation_test

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// Once, policy hung on a router that read the escaped path, and handlers on one that read the unescaped path.
func TestHazard01EscapedPathsDoNotGetAroundPolicy(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	spellings := []string{
		"/v1/users/bob", "/v1%2Fusers/bob", "/v1/users%2Fbob", "/v1%2fusers%2fbob", "/%76%31/users/bob", "/v1/%75sers/bob",
		"/v1/%55sers/bob", "//v1/users/bob", "/v1//users/bob", "/v1/users//bob", "/./v1/users/bob", "/v1/./users/bob",
		"/v1/users/./bob", "/x/../v1/users/bob", "/v1/users/bob/", "/v1/users/bob/.", "/v1/users/bob%2Fdashboard",
		"/v1/users/bob/dashboard", "/v1/users/bob/%64ashboard", "/v1/users/bob;x=y", "/v1/users/bob%00", "/v1/users/bob%20",
		"/v1/users/%62ob", "/v1/users/%62%6f%62", "/v1/users/%2562ob", "/v1/users/bob%3Flabels", "/v1/users/bob%23", "/V1/users/bob",
		"/v1/USERS/bob", "/v1/users/bob:get", "/v1/orders/x%3Acancel", "/v1/orders/x:cancel", "/v1/orders/x:%63ancel",
		"/v1/me/dashboard", "/v1/me%2Fdashboard", "/v1/me/%64ashboard",
	}

	for _, path := range spellings {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			res := s.Do(t, method, path, nil, "")
			if res.Status < 400 || res.Status >= 500 || res.Status == http.StatusTooManyRequests {
				t.Errorf("%s %s without a token: %d %s", method, path, res.Status, res.Body)
			}

			res.Problem(t)
		}
	}

	if calls := s.TakeCalls(); len(calls) > 0 {
		t.Errorf("requests without a token reached %v", gatewaytest.RPCs(calls))
	}

	// Whatever reaches the handler of {user_id} as bob is refused to alice.
	alice := s.As(t, "alice")
	for _, path := range []string{"/v1/users/bob", "/v1/users/%62ob", "/v1/users/%62%6F%62"} {
		if res := s.Do(t, http.MethodGet, path, alice, ""); res.Status != http.StatusForbidden {
			t.Errorf("alice gets %d for %s", res.Status, path)
		}
	}

	// A variable cannot be given a second value beside the path's.
	for _, path := range []string{"/v1/users/alice?user_id=bob", "/v1/users/alice?userId=bob"} {
		res := s.Do(t, http.MethodGet, path, alice, "")
		if res.Status == http.StatusOK && !strings.Contains(res.Body, `"userId":"alice"`) {
			t.Errorf("alice gets %s for %s", res.Body, path)
		}
	}
}

// Once, a form-encoded POST ran the GET handler, and a header turned it into a DELETE (CVE-2026-37236).
func TestHazard02MethodIsWhatTheRequestLineSays(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	for name, header := range map[string]http.Header{
		"form":     {},
		"override": {"X-Http-Method-Override": {"DELETE"}},
		"variants": {"X-Http-Method": {"DELETE"}, "X-Method-Override": {"DELETE"}},
		"get":      {"X-Http-Method-Override": {"GET"}},
	} {
		maps.Copy(header, s.As(t, "alice"))

		header.Set("Content-Type", "application/x-www-form-urlencoded")

		res := s.Do(t, http.MethodPost, "/v1/users/alice", header, "_method=DELETE&user_id=alice")
		if res.Status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d %s", name, res.Status, res.Body)
		}
	}

	if calls := s.TakeCalls(); len(calls) > 0 {
		t.Errorf("reached %v", gatewaytest.RPCs(calls))
	}
}

// Once, a wrong method answered 501, and HEAD and OPTIONS were unknown.
func TestHazard03MethodsAnswerAsHTTPSays(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	alice := s.As(t, "alice")

	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodTrace, "PURGE", "get", strings.Repeat("A", 40)} {
		res := s.Do(t, method, "/v1/users/alice", alice, "")
		if res.Status != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, PATCH" {
			t.Errorf("%s: %d, Allow %q", method, res.Status, res.Header.Get("Allow"))
		}

		res.Problem(t)
	}

	if res := s.Do(t, http.MethodOptions, "/v1/users/alice", nil, ""); res.Status != http.StatusNoContent ||
		res.Header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, PATCH" {
		t.Errorf("OPTIONS: %d, Allow %q", res.Status, res.Header.Get("Allow"))
	}

	if res := s.Do(t, http.MethodOptions, "/v1/nowhere", nil, ""); res.Status != http.StatusNotFound {
		t.Errorf("OPTIONS on no path: %d", res.Status)
	}

	get := s.Do(t, http.MethodGet, "/v1/users/alice", alice, "")
	head := s.Do(t, http.MethodHead, "/v1/users/alice", alice, "")

	if head.Status != http.StatusOK || head.Body != "" || head.Header.Get("Content-Length") != get.Header.Get("Content-Length") {
		t.Errorf("HEAD: %d, body %q, Content-Length %q", head.Status, head.Body, head.Header.Get("Content-Length"))
	}

	if res := s.Do(t, http.MethodHead, "/v1/users/alice", nil, ""); res.Status != http.StatusUnauthorized {
		t.Errorf("HEAD without a token: %d", res.Status)
	}

	if got := rawStatus(t, s.URL, "CONNECT /v1/users/alice HTTP/1.1\r\nHost: x\r\n\r\n"); got != "405" {
		t.Errorf("CONNECT: %s", got)
	}
}

// rawStatus sends bytes and returns the status that comes back.
func rawStatus(t *testing.T, target, request string) string {
	t.Helper()

	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}

	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	if _, err := fmt.Fprint(conn, request); err != nil {
		t.Fatal(err)
	}

	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}

	return strings.Fields(line)[1]
}

// Once, odd bytes in a path answered 500 or arrived at backends unescaped.
func TestHazard04PathValuesAreSound(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	admin := s.As(t, "admin", "users:admin")

	for _, value := range []string{
		"%ff", "%c3%28", "%00", "a%0d%0ab", "%0a", "%7f", "..", ".", "%2e%2e", "%2E", "a%2f..%2fb", "..%2fb", "a%2F.", `a%5cb`, "%5C..%5C",
		"%c2%85",
	} {
		path := "/v1/users/" + value

		res := s.Do(t, http.MethodGet, path, admin, "")
		if res.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}

		res.Problem(t)
	}

	if calls := s.TakeCalls(); len(calls) > 0 {
		t.Errorf("reached %v", gatewaytest.RPCs(calls))
	}

	for _, value := range []string{"a%20b", "%C3%BC", "a:b", "a@b.c", "a%2Fb", "...", "%2525"} {
		res := s.Do(t, http.MethodGet, "/v1/users/"+value, admin, "")

		want, err := url.PathUnescape(value)
		if err != nil {
			t.Fatal(err)
		}

		if res.Status != http.StatusOK || !strings.Contains(res.Body, fmt.Sprintf("%q", want)) {
			t.Errorf("%s: %d %s", value, res.Status, res.Body)
		}
	}

	// What net/http refuses by itself never gets here.
	if got := rawStatus(t, s.URL, "GET /v1/users/%zz HTTP/1.1\r\nHost: x\r\n\r\n"); got != "400" {
		t.Errorf("%%zz: %s", got)
	}
}

// Once, "*" matched an empty segment, so that {parent=shelves/*} was "shelves/" for some paths.
func TestEmptySegmentsMatchNoRoute(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	admin := s.As(t, "admin", "users:admin", "orders:admin")

	for _, path := range []string{
		"/v1/users/", "/v1/users//orders", "/v1//alice", "/v1/shelves/", "/v1/shelves//books", "/v1//shelves/s/books",
		"/v1/rooms//shelves/s", "/v1/rooms/r/shelves/", "//v1/users/alice", "/v1/users/alice/", "/v1/users/alice//", "/v1/shelves/featured/",
		"/", "//", "/v1/", "/v1//echo/a",
	} {
		for _, method := range []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
			http.MethodTrace,
		} {
			res := s.Do(t, method, path, admin, "")
			if res.Status != http.StatusNotFound || res.Header.Get("Allow") != "" {
				t.Errorf("%s %s: %d, Allow %q", method, path, res.Status, res.Header.Get("Allow"))
			}

			if method != http.MethodHead {
				res.Problem(t)
			}
		}
	}

	if calls := s.TakeCalls(); len(calls) > 0 {
		t.Errorf("reached %v", gatewaytest.RPCs(calls))
	}

	// What stands for the rest of a path may have such segments, and an escaped slash is none between segments.
	for path, want := range map[string]string{
		"/v1/echo/a//b/": `"rest":"a//b/"`, "/v1/shelves/%2F/books": "Emma", "/v1/users/%2F": `"userId":"/"`,
	} {
		if res := s.Do(t, http.MethodGet, path, admin, ""); res.Status != http.StatusOK || !strings.Contains(res.Body, want) {
			t.Errorf("%s: %d %s", path, res.Status, res.Body)
		}
	}
}

// Once, the route that was declared last won, so that {shelf_id} hid "featured".
func TestHazard05SpecificRouteWinsOverGeneral(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	alice := s.As(t, "alice")

	for path, want := range map[string]string{
		"/v1/shelves/featured":          "/shelf.v1.ShelfService/GetFeaturedShelf",
		"/v1/shelves/featured2":         "/shelf.v1.ShelfService/GetShelf",
		"/v1/rooms/r/shelves/featured":  "/shelf.v1.ShelfService/GetShelf",
		"/v1/shelves/%66eatured":        "/shelf.v1.ShelfService/GetShelf",
		"/v1/shelves/s/books":           "/shelf.v1.ShelfService/ListBooks",
		"/v1/orders/o:watch":            "/order.v1.OrderService/WatchOrder",
		"/v1/users/alice/orders":        "/order.v1.OrderService/ListOrders",
		"/v1/echo/a/b/c":                "/shelf.v1.ShelfService/Echo",
		"/v1/users/alice/notifications": "",
	} {
		s.Do(t, http.MethodGet, path, alice, "")

		if got := strings.Join(gatewaytest.RPCs(s.TakeCalls()), " "); got != want {
			t.Errorf("%s reached %q, want %q", path, got, want)
		}
	}
}

// Once, two thousand routes cost tens of microseconds a request: see BenchmarkRoute in pathtemplate. Here: the tree chooses what one
// mux with all routes would have chosen, and no path falls between them.
func TestHazard06ManyRoutesAreFoundByATree(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	admin := s.As(t, "admin", "users:admin", "orders:admin", "notifications:admin")

	for _, r := range s.Gateway.Routes() {
		path := strings.NewReplacer("{", "", "}", "", "=shelves/*", "", "parent", "shelves/x", "=**", "").Replace(r.Path)
		res := s.Do(t, r.Method, path, admin, "")

		if res.Status == http.StatusNotFound || res.Status == http.StatusMethodNotAllowed {
			t.Errorf("%s %s (%s): %d", r.Method, path, r.Path, res.Status)
		}

		gatewaytest.Eventually(t, r.Method+" "+path+" being logged as "+r.RPC, func() bool {
			return strings.Contains(s.Logs.String(), fmt.Sprintf("%q:%q", "rpc", strings.Replace(r.RPC, "/", ".", 1)))
		})
	}
}

// Once, the log and the metrics had "{user_id=*}" where the proto says "{user_id}".
func TestHazard07TemplatesAreSpelledAsInTheProto(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	s.Do(t, http.MethodGet, "/v1/users/alice/orders", s.As(t, "alice"), "")
	gatewaytest.Eventually(t, "the log line", func() bool { return strings.Contains(s.Logs.String(), `"route":"/v1/users/{user_id}/orders"`) })

	for _, r := range s.Gateway.Routes() {
		if strings.Contains(r.Path, "=*}") {
			t.Errorf("template %s", r.Path)
		}
	}
}
