package edge_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
)

// net/http copies, sorts and writes all headers of a response, and a map of more than eight costs much more than a smaller one.
func TestHeadersOfAResponse(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)

	res := s.Do(t, http.MethodGet, "/v1/users/alice", s.As(t, "alice"), "")
	want := []string{
		"Cache-Control", "Content-Length", "Content-Type", "Date", "Ratelimit", "Ratelimit-Policy", "X-Content-Type-Options",
		"X-Request-Id",
	}

	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(res.Header))); diff != "" || res.Status != http.StatusOK {
		t.Errorf("%d: %s", res.Status, diff)
	}
}

// What is cached has only what HTTP asks of caches in addition: its age, what they did, its tag, and what it varies by.
func TestHeadersOfACachedResponse(t *testing.T) {
	t.Parallel()

	s := gatewaytest.Start(t, nil)
	alice := s.As(t, "alice") // A new token would be a miss.
	get := func() gatewaytest.Response { return s.Do(t, http.MethodGet, "/v1/users/alice/profile", alice, "") }

	get()

	res := get()
	want := []string{
		"Age", "Cache-Control", "Cache-Status", "Content-Length", "Content-Type", "Date", "Etag", "Ratelimit", "Ratelimit-Policy", "Vary",
		"X-Content-Type-Options", "X-Request-Id",
	}

	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(res.Header))); diff != "" || res.Status != http.StatusOK {
		t.Errorf("%d: %s", res.Status, diff)
	}
}
