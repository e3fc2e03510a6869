package translation_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/portico-gateway/portico/bff/e2e/gatewaytest"
	everyv1 "github.com/portico-gateway/portico/bff/internal/testkit/foreign/gen/every/v1"
	porticov1 "github.com/portico-gateway/portico/gen/portico/v1"
)

// Once, each part of the gateway read weights in its own way: one took q=5 for much, one for none, one for an error.
func TestWeightsMeanTheSameEverywhere(t *testing.T) {
	t.Parallel()

	s := gatewaytest.StartMirror(t, nil)
	long := "/v1/every?stringField=" + strings.Repeat("a", 4000)

	for accept, want := range map[string]string{
		"gzip": "gzip", "gzip;q=0.001": "gzip", "gzip;q=1.000": "gzip", "gzip;q=1.0000": "gzip", "gzip;q=.5": "gzip", "gzip ; Q=0.5": "gzip",
		"gzip;q=0": "", "gzip;q=5": "", "gzip;q=nan": "", "gzip;q=-1": "", "gzip;q=": "", "gzip;q=1.5": "", "gzip;q=1e0": "", "*": "",
		"identity, gzip;q=0.9": "", "x;y=\"a, gzip\"": "",
	} {
		res := s.Do(t, http.MethodGet, long, http.Header{"Accept-Encoding": {accept}}, "")
		if got := res.Header.Get("Content-Encoding"); res.Status != http.StatusOK || got != want {
			t.Errorf("%q: %d %q, want %q", accept, res.Status, got, want)
		}
	}

	for accept, want := range map[string]string{
		"text/event-stream": "text/event-stream", "text/event-stream;q=.5": "text/event-stream", "*/*": "application/x-ndjson",
		"text/event-stream;q=5, application/json": "application/json", "text/event-stream;q=0.9, application/json;q=0.91": "application/json",
		"text/event-stream;q=nan":                              "application/x-ndjson",
		"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2": "application/x-ndjson",
		"application/x-ndjson;q=0, */*":                        "text/event-stream",
		`text/event-stream;x="a, application/json", text/html`: "text/event-stream",
		"image/png": "application/problem+json", "text/event-stream;q=0": "application/problem+json",
	} {
		res := s.Do(t, http.MethodGet, "/v1/count?int32Field=1", http.Header{"Accept": {accept}}, "")
		if got, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";"); got != want {
			t.Errorf("%q: %d %s, want %s", accept, res.Status, got, want)
		}
	}
}

// tagging answers with an entity tag that has a comma in it.
type tagging struct{ gatewaytest.Mirror }

func (tagging) Echo(ctx context.Context, m *everyv1.Every) (*everyv1.Every, error) {
	return m, grpc.SetHeader(ctx, metadata.Pairs("etag", m.GetStringField()))
}

// Once, lists of tags were cut at the commas in them, and where a response was cached at other places than where it was not.
func TestEntityTagsMeanTheSameEverywhere(t *testing.T) {
	t.Parallel()

	headers := &porticov1.Response{Headers: []string{"etag"}}

	for name, policy := range map[string]*porticov1.MethodPolicy{
		"passed_on": {Response: headers},
		"cached":    {Response: headers, Cache: &porticov1.Cache{Ttl: durationpb.New(time.Minute), Scope: porticov1.CacheScope_CACHE_SCOPE_PUBLIC}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()

			s := gatewaytest.StartMirrorOf(t, tagging{}, nil, policy)

			for _, row := range []struct {
				tag, known string
				want       int
			}{
				{`"a,b"`, `"a,b"`, 304},
				{`"a,b"`, `"x", W/"a,b"`, 304},
				{`W/"a"`, `"a"`, 304},
				{`"a"`, `*`, 304},
				{`"a"`, `"x,"a","y"`, 200},
				{`"a"`, `a`, 200},
				{`"a"`, `"b"`, 200},
			} {
				target := "/v1/every?stringField=" + url.QueryEscape(row.tag)
				for range 2 {
					res := s.Do(t, http.MethodGet, target, http.Header{"If-None-Match": {row.known}}, "")
					if res.Status != row.want || res.Header.Get("Etag") != row.tag {
						t.Errorf("%s for %s: %d, Etag %s", row.known, row.tag, res.Status, res.Header.Get("Etag"))
					}
				}
			}
		})
	}
}
