package translation_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// nextOf returns the target of the header Link, relative to the request's, or "".
func nextOf(t *testing.T, target string, header http.Header) string {
	t.Helper()

	links := header.Values("Link")
	if len(links) == 0 {
		return ""
	}

	found := regexp.MustCompile(`^<([!-;=?-~]+)>; rel="next"$`).FindStringSubmatch(links[0])
	if len(links) > 1 || found == nil {
		t.Fatalf("Link: %q", links)
	}

	base, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}

	next, err := base.Parse(found[1])
	if err != nil {
		t.Fatal(err)
	}

	return next.String()
}

func TestLinksLeadThroughAllPages(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	alice := s.As(t, "a/b c")

	const first = "/v1/users/a%2Fb%20c/orders?page_size=1&utm_source=x%3E"

	for _, method := range []string{http.MethodGet, http.MethodHead} {
		target, visited := first, []string{}
		for target != "" && len(visited) < 4 {
			visited = append(visited, target)

			res := s.Do(t, method, target, alice, "")
			if res.Status != http.StatusOK {
				t.Fatalf("%s: %d %s", target, res.Status, res.Body)
			}

			target = nextOf(t, target, res.Header)
		}

		token := url.QueryEscape(gatewaytest.PageToken)
		if want := first + "&pageToken=" + token + token; len(visited) != 3 || visited[2] != want {
			t.Errorf("visited %q, want %s at the end", visited, want)
		}
	}

	// The client's spelling of the parameter stays.
	res := s.Do(t, http.MethodGet, first+"&page_token=a", alice, "")
	if got, want := nextOf(t, first, res.Header), first+"&page_token=a"+url.QueryEscape(gatewaytest.PageToken); got != want {
		t.Errorf("%s, want %s", got, want)
	}

	// Nor does the link need the token in the body.
	res = s.Do(t, http.MethodGet, first+"&fields=orders.orderId", alice, "")
	if next := nextOf(t, first, res.Header); res.Body != `{"orders":[{"orderId":"o1"}]}` || !strings.Contains(next, "&fields=orders.orderId&pageToken=") {
		t.Errorf("%s, next %s", res.Body, next)
	}

	if res := s.Do(t, http.MethodGet, "/v1/users/a%2Fb%20c/orders", alice, ""); res.Header.Get("Link") != "" {
		t.Errorf("a link behind the last page: %q", res.Header["Link"])
	}
}
