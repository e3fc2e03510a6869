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
