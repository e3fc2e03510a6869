package bff_test

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Once, policy hung on a router that read the escaped path, and handlers on one that read the unescaped path.
func TestHazard01EscapedPathsDoNotGetAroundPolicy(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
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
			res := s.do(t, method, path, nil, "")
			if res.status < 400 || res.status >= 500 || res.status == http.StatusTooManyRequests {
				t.Errorf("%s %s without a token: %d %s", method, path, res.status, res.body)
			}

			res.problem(t)
		}
	}

	if calls := s.taken(); len(calls) > 0 {
		t.Errorf("requests without a token reached %v", rpcs(calls))
	}

	// Whatever reaches the handler of {user_id} as bob is refused to alice.
	alice := s.as(t, "alice")
	for _, path := range []string{"/v1/users/bob", "/v1/users/%62ob", "/v1/users/%62%6F%62"} {
		if res := s.do(t, http.MethodGet, path, alice, ""); res.status != http.StatusForbidden {
			t.Errorf("alice gets %d for %s", res.status, path)
		}
	}

	// A variable cannot be given a second value beside the path's.
	for _, path := range []string{"/v1/users/alice?user_id=bob", "/v1/users/alice?userId=bob"} {
		res := s.do(t, http.MethodGet, path, alice, "")
		if res.status == http.StatusOK && !strings.Contains(res.body, `"userId":"alice"`) {
			t.Errorf("alice gets %s for %s", res.body, path)
		}
	}
}

// Once, a form-encoded POST ran the GET handler, and a header turned it into a DELETE (CVE-2026-37236).
func TestHazard02MethodIsWhatTheRequestLineSays(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)

	for name, header := range map[string]http.Header{
		"form":     {},
		"override": {"X-Http-Method-Override": {"DELETE"}},
		"variants": {"X-Http-Method": {"DELETE"}, "X-Method-Override": {"DELETE"}},
		"get":      {"X-Http-Method-Override": {"GET"}},
	} {
		maps.Copy(header, s.as(t, "alice"))

		header.Set("Content-Type", "application/x-www-form-urlencoded")

		res := s.do(t, http.MethodPost, "/v1/users/alice", header, "_method=DELETE&user_id=alice")
		if res.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d %s", name, res.status, res.body)
		}
	}

	if calls := s.taken(); len(calls) > 0 {
		t.Errorf("reached %v", rpcs(calls))
	}
}

// Once, a wrong method answered 501, and HEAD and OPTIONS were unknown.
func TestHazard03MethodsAnswerAsHTTPSays(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	alice := s.as(t, "alice")

	for _, method := range []string{http.MethodPut, http.MethodPost, http.MethodTrace, "PURGE", "get", strings.Repeat("A", 40)} {
		res := s.do(t, method, "/v1/users/alice", alice, "")
		if res.status != http.StatusMethodNotAllowed || res.header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, PATCH" {
			t.Errorf("%s: %d, Allow %q", method, res.status, res.header.Get("Allow"))
		}

		res.problem(t)
	}

	if res := s.do(t, http.MethodOptions, "/v1/users/alice", nil, ""); res.status != http.StatusNoContent ||
		res.header.Get("Allow") != "DELETE, GET, HEAD, OPTIONS, PATCH" {
		t.Errorf("OPTIONS: %d, Allow %q", res.status, res.header.Get("Allow"))
	}

	if res := s.do(t, http.MethodOptions, "/v1/nowhere", nil, ""); res.status != http.StatusNotFound {
		t.Errorf("OPTIONS on no path: %d", res.status)
	}

	get := s.do(t, http.MethodGet, "/v1/users/alice", alice, "")
	head := s.do(t, http.MethodHead, "/v1/users/alice", alice, "")

	if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") {
		t.Errorf("HEAD: %d, body %q, Content-Length %q", head.status, head.body, head.header.Get("Content-Length"))
	}

	if res := s.do(t, http.MethodHead, "/v1/users/alice", nil, ""); res.status != http.StatusUnauthorized {
		t.Errorf("HEAD without a token: %d", res.status)
	}

	if got := rawStatus(t, s.url, "CONNECT /v1/users/alice HTTP/1.1\r\nHost: x\r\n\r\n"); got != "405" {
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

	s := startSite(t, nil)
	admin := s.as(t, "admin", "users:admin")

	for _, value := range []string{
		"%ff", "%c3%28", "%00", "a%0d%0ab", "%0a", "%7f", "..", ".", "%2e%2e", "%2E", "a%2f..%2fb", "..%2fb", "a%2F.", `a%5cb`, "%5C..%5C",
		"%c2%85",
	} {
		path := "/v1/users/" + value

		res := s.do(t, http.MethodGet, path, admin, "")
		if res.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, res.status, res.body)
		}

		res.problem(t)
	}

	if calls := s.taken(); len(calls) > 0 {
		t.Errorf("reached %v", rpcs(calls))
	}

	for _, value := range []string{"a%20b", "%C3%BC", "a:b", "a@b.c", "a%2Fb", "...", "%2525"} {
		res := s.do(t, http.MethodGet, "/v1/users/"+value, admin, "")

		want, err := url.PathUnescape(value)
		if err != nil {
			t.Fatal(err)
		}

		if res.status != http.StatusOK || !strings.Contains(res.body, fmt.Sprintf("%q", want)) {
			t.Errorf("%s: %d %s", value, res.status, res.body)
		}
	}

	// What net/http refuses by itself never gets here.
	if got := rawStatus(t, s.url, "GET /v1/users/%zz HTTP/1.1\r\nHost: x\r\n\r\n"); got != "400" {
		t.Errorf("%%zz: %s", got)
	}
}

// Once, "*" matched an empty segment, so that {parent=shelves/*} was "shelves/" for some paths.
func TestEmptySegmentsMatchNoRoute(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	admin := s.as(t, "admin", "users:admin", "orders:admin")

	for _, path := range []string{
		"/v1/users/", "/v1/users//orders", "/v1//alice", "/v1/shelves/", "/v1/shelves//books", "/v1//shelves/s/books",
		"/v1/rooms//shelves/s", "/v1/rooms/r/shelves/", "//v1/users/alice", "/v1/users/alice/", "/v1/users/alice//", "/v1/shelves/featured/",
		"/", "//", "/v1/", "/v1//echo/a",
	} {
		for _, method := range []string{
			http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
			http.MethodTrace,
		} {
			res := s.do(t, method, path, admin, "")
			if res.status != http.StatusNotFound || res.header.Get("Allow") != "" {
				t.Errorf("%s %s: %d, Allow %q", method, path, res.status, res.header.Get("Allow"))
			}

			if method != http.MethodHead {
				res.problem(t)
			}
		}
	}

	if calls := s.taken(); len(calls) > 0 {
		t.Errorf("reached %v", rpcs(calls))
	}

	// What stands for the rest of a path may have such segments, and an escaped slash is none between segments.
	for path, want := range map[string]string{
		"/v1/echo/a//b/": `"rest":"a//b/"`, "/v1/shelves/%2F/books": "Emma", "/v1/users/%2F": `"userId":"/"`,
	} {
		if res := s.do(t, http.MethodGet, path, admin, ""); res.status != http.StatusOK || !strings.Contains(res.body, want) {
			t.Errorf("%s: %d %s", path, res.status, res.body)
		}
	}
}

// Once, the route that was declared last won, so that {shelf_id} hid "featured".
func TestHazard05SpecificRouteWinsOverGeneral(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	alice := s.as(t, "alice")

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
		s.do(t, http.MethodGet, path, alice, "")

		if got := strings.Join(rpcs(s.taken()), " "); got != want {
			t.Errorf("%s reached %q, want %q", path, got, want)
		}
	}
}

// Once, two thousand routes cost tens of microseconds a request: see BenchmarkRoute in pathtemplate. Here: the tree chooses what one
// mux with all routes would have chosen, and no path falls between them.
func TestHazard06ManyRoutesAreFoundByATree(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	admin := s.as(t, "admin", "users:admin", "orders:admin", "notifications:admin")

	for _, r := range s.gw.Routes() {
		path := strings.NewReplacer("{", "", "}", "", "=shelves/*", "", "parent", "shelves/x", "=**", "").Replace(r.Path)
		res := s.do(t, r.Method, path, admin, "")

		if res.status == http.StatusNotFound || res.status == http.StatusMethodNotAllowed {
			t.Errorf("%s %s (%s): %d", r.Method, path, r.Path, res.status)
		}

		eventually(t, r.Method+" "+path+" being logged as "+r.RPC, func() bool {
			return strings.Contains(s.logs.String(), fmt.Sprintf("%q:%q", "rpc", r.RPC))
		})
	}
}

// Once, the log and the metrics had "{user_id=*}" where the proto says "{user_id}".
func TestHazard07TemplatesAreSpelledAsInTheProto(t *testing.T) {
	t.Parallel()

	s := startSite(t, nil)
	s.do(t, http.MethodGet, "/v1/users/alice/orders", s.as(t, "alice"), "")
	eventually(t, "the log line", func() bool { return strings.Contains(s.logs.String(), `"route":"/v1/users/{user_id}/orders"`) })

	for _, r := range s.gw.Routes() {
		if strings.Contains(r.Path, "=*}") {
			t.Errorf("template %s", r.Path)
		}
	}
}
