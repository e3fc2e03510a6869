package edge_test

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff"
	"github.com/portico-gateway/portico/bff/config"
	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

var pathVariable = regexp.MustCompile(`\{[^}]*\}|\*\*?`)

// spellings writes a path in ways that one parser on the way might read otherwise than another.
func spellings(path string) []string {
	segments := strings.Split(path[1:], "/")
	first, last := segments[0], segments[len(segments)-1]
	head := strings.TrimSuffix(path, last)
	percent := func(text string) string {
		var b strings.Builder
		for i := range len(text) {
			fmt.Fprintf(&b, "%%%02x", text[i])
		}

		return b.String()
	}

	all := []string{
		path, path + "/", path + "//", path + "/.", path + "/..", path + "/./", path + "/%2e", path + "/%2e%2e", path + "/x/..",
		"/" + path, "//" + path, "/." + path, "/./" + path, "/x/.." + path, "/%2e" + path, "/%2e%2e" + path, "/x/%2e%2e" + path, "/%2f" + path,
		"/%5c" + path, `/\` + path, "/;" + path, "/%00" + path, "/%20" + path, "/%09" + path,
		path + "%00", path + "%20", path + "%09", path + "%0a", path + "%0d%0a", path + "%2f", path + "%5c", path + `\`, path + ";x=y",
		path + ";", path + ".json", path + "%23", path + "%3f", path + "?", path + "?x=y", path + "?access_token=x", path + "?_method=GET",
		path + "?method=DELETE", path + "?" + strings.Repeat("a=b&", 200), path + "~", path + "%7e", path + "*", path + "%2a", path + ":x",
		path + "%3ax", path + "..", path + "%2e%2e", path + "%c0%af", path + "%c0%ae", path + "%e0%80%af", path + "%ff", path + "%u002f",
		path + "%ef%bc%8f", path + "%2525", head + percent(last), head + strings.ToUpper(last), head + "./" + last, head + "/" + last,
		head + "%2e/" + last, head + "x/../" + last, head + "x/%2e%2e/" + last, head + percent("/") + last, head + "%252f" + last,
		"/" + percent(first) + strings.TrimPrefix(path, "/"+first), "/" + strings.ToUpper(first) + strings.TrimPrefix(path, "/"+first),
		strings.ReplaceAll(path, "/", "%2f"), strings.ReplaceAll(path, "/", "%2F"), strings.ReplaceAll(path, "/", "//"),
		strings.ReplaceAll(path, "/", `\`), strings.ReplaceAll(path, "/", "/./"), strings.ReplaceAll(path, "/", "/%2e/"),
		"/" + strings.ReplaceAll(percent(path[1:]), "%2f", "/"), "/" + percent(percent(path[1:])), strings.ToUpper(path),
		strings.ReplaceAll(path, ":", "%3a"), strings.ReplaceAll(path, "v1", "v%31"), strings.ReplaceAll(path, "v1", "%76%31"),
	}

	slices.Sort(all)

	return slices.Compact(all)
}

// Once, a path or a method was read in two ways, and policy hung on one of them. Without a token, no spelling of a protected route
// may reach a backend.
func TestNoSpellingGetsAroundPolicy(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, func(c *config.Config) { c.Limits.Client.Requests, c.Limits.Client.Burst = 1_000_000, 1_000_000 })

	for _, route := range s.Gateway.Routes() {
		if strings.HasPrefix(route.Summary, "public") {
			continue
		}

		t.Run(route.Method+route.Path, func(t *testing.T) {
			t.Parallel()

			paths := spellings(pathVariable.ReplaceAllString(route.Path, "alice"))
			if len(paths) < 60 {
				t.Fatalf("only %d spellings", len(paths))
			}

			for _, path := range paths {
				refuses(t, s, route.Method, path, nil, "")
			}

			refusesTricks(t, s, route, paths[slices.Index(paths, pathVariable.ReplaceAllString(route.Path, "alice"))])
		})
	}

	t.Cleanup(func() {
		if calls := s.TakeCalls(); len(calls) > 0 {
			t.Errorf("requests without a token reached %v", gatewaytest.RPCs(calls))
		}
	})
}

// refusesTricks asks for a route by all sorts of methods and of headers that name another method or another path.
func refusesTricks(t *testing.T, s *gatewaytest.Site, route bff.Route, path string) {
	t.Helper()

	for _, method := range []string{
		"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "get", "Post", "DELETEX", "GETPOST", "M-SEARCH", "PRI", "LINK",
	} {
		refuses(t, s, method, path, nil, "")
		refuses(t, s, method, path, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "_method="+route.Method)

		for _, name := range []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"} {
			refuses(t, s, method, path, http.Header{name: {route.Method}}, "")
		}
	}

	// What these say does not depend on the method, but those with a body take another way than those without.
	for _, method := range slices.Compact([]string{route.Method, "GET", "POST"}) {
		for _, header := range []http.Header{
			{"X-Original-Url": {path}, "X-Rewrite-Url": {path}},
			{"X-Forwarded-Prefix": {"/x"}, "X-Forwarded-Uri": {path}},
			{"X-Forwarded-For": {"127.0.0.1"}, "X-Real-Ip": {"127.0.0.1"}},
			{"Upgrade": {"h2c"}, "Connection": {"Upgrade, HTTP2-Settings"}},
			{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}},
			{"Content-Type": {"application/grpc"}},
			{"Content-Type": {"application/grpc-web"}, "X-Grpc-Web": {"1"}},
			{"Expect": {"100-continue"}},
			{"X-Portico-Subject": {"alice"}, "Grpc-Metadata-X-Portico-Subject": {"alice"}},
			{"Cookie": {"access_token=x"}},
		} {
			refuses(t, s, method, path, maps.Clone(header), "")
		}
	}
}

// refuses sends a request without a token, to which there is no answer but a refusal.
func refuses(t *testing.T, s *gatewaytest.Site, method, target string, header http.Header, body string) {
	t.Helper()

	if res := s.Do(t, method, target, header, body); res.Status < 400 || res.Status >= 500 || res.Status == http.StatusTooManyRequests {
		t.Errorf("%s %s %v: %d %s", method, target, header, res.Status, res.Body)
	}
}
